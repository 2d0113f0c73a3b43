package celeval

import (
	"strings"

	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// bytesPerCost is what CEL itself assumes for reading strings.
const bytesPerCost = 10

const (
	// The macros of optional values are made of these.
	functionOptional = "optional.of"
	functionNonZero  = "optional.ofNonZeroValue"

	functionSplit = "split"
	prefixSets    = "sets."
)

// bySize makes every call cost what it reads and writes. CEL counts so too where it knows the types when it compiles;
// those of a document are not known then, and each call would cost 1.
type bySize struct{ limit uint64 }

// CallCost implements interpreter.ActualCostEstimator.
func (b bySize) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	cost := 1 + weight(result)
	for _, arg := range args {
		cost += weight(arg)
	}
	switch function {
	case overloads.Matches, overloads.Contains:
		for _, arg := range args[1:] {
			cost *= 1 + weight(arg) // the pattern
		}
	case operators.Equals, operators.NotEquals, operators.In:
		cost += elements(args)
	case functionSplit:
		cost += elements([]ref.Val{result})
	case operators.Add, functionOptional, functionNonZero:
		// What is appended to a list, each element that a macro makes, and what an optional value holds: without this
		// [x].map(a, [a, a]).map(a, [a, a])… would double for nothing.
		cost += extent(args[len(args)-1], b.limit)
	}
	if strings.HasPrefix(function, prefixSets) && len(args) == 2 {
		cost += elements(args[:1]) * elements(args[1:])
	}
	return &cost
}

// extent is what it takes to read a value with all that is in it, however often the same thing is in it. Counting ends
// soon after the limit.
func extent(value ref.Val, limit uint64) uint64 {
	n := 1 + weight(value)
	inside := func(v ref.Val) {
		if n <= limit {
			n += extent(v, limit-n)
		}
	}
	switch v := value.(type) {
	case traits.Mapper:
		for it := v.Iterator(); n <= limit && it.HasNext() == types.True; {
			key := it.Next()
			inside(key)
			inside(v.Get(key))
		}
	case traits.Lister:
		for it := v.Iterator(); n <= limit && it.HasNext() == types.True; {
			inside(it.Next())
		}
	case *types.Optional:
		if v.HasValue() {
			inside(v.GetValue())
		}
	}
	return n
}

func weight(value ref.Val) uint64 {
	switch v := value.(type) {
	case types.String:
		return uint64(len(v) / bytesPerCost)
	case types.Bytes:
		return uint64(len(v) / bytesPerCost)
	}
	return 0
}

// elements of the lists and maps among the values, which are compared one by one.
func elements(values []ref.Val) uint64 {
	var n uint64
	for _, value := range values {
		if container, ok := value.(traits.Sizer); ok && weight(value) == 0 {
			if size, ok := container.Size().(types.Int); ok && size > 0 {
				n += uint64(size)
			}
		}
	}
	return n
}
