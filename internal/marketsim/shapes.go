package marketsim

// shapeOf returns the shape that the settings ask for; nil when there is none of the name.
func shapeOf(s Settings) *shape {
	if s.Shape == ShapeFreelancer {
		return freelancerShape(*s.Freelancer)
	}
	return shapes[s.Shape]
}

// shapes are those without settings of their own.
var shapes = map[Shape]*shape{
	ShapeRest:          &restShape,
	ShapeFreelancehunt: &freelancehuntShape,
	ShapeTaskfast:      &taskfastShape,
	ShapeBotguild:      &botguildShape,
	ShapeLoadboard:     &loadboardShape,
	ShapeGraphQL:       &graphqlShape,
	ShapeQuayside:      &quaysideShape,
}
