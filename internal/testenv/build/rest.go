package build

import "github.com/onebid-dev/onebid/api/v1alpha1"

// restDriver describes the plain REST shape of cmd/marketsim.
func restDriver(baseURL string) *v1alpha1.HTTPDriver {
	return &v1alpha1.HTTPDriver{
		BaseURL:           baseURL,
		Headers:           []v1alpha1.HTTPParameter{{Name: "Authorization", Value: `'Bearer ' + secret.token`}},
		IdempotencyHeader: "Idempotency-Key",
		Account: &v1alpha1.HTTPAccount{
			Request:   v1alpha1.HTTPRequest{Method: "GET", Path: `'/me'`},
			AccountID: `response.body.id`,
		},
		Place: v1alpha1.HTTPPlace{Request: v1alpha1.HTTPRequest{
			Method: "POST",
			Path:   `'/bids'`,
			Body: `{'posting_id': bid.postingID, 'amount': bid.amount, 'currency': bid.currency, 'days': bid.deliveryDays,` +
				` 'text': bid.proposal}`,
		}},
		Lookup: list(v1alpha1.HTTPParameter{Name: "posting_id", Value: `bid.postingID`}),
		List:   new(list(v1alpha1.HTTPParameter{Name: "state", Value: `'live'`})),
		Get: &v1alpha1.HTTPGet{
			Request: v1alpha1.HTTPRequest{Method: "GET", Path: `'/bids/' + pathEscape(remote.id)`},
		},
		Withdraw: &v1alpha1.HTTPWithdraw{
			Request: v1alpha1.HTTPRequest{
				Method: "POST", Path: `'/bids/' + pathEscape(remote.id) + '/withdraw'`, Body: `{'reason': reason}`,
			},
		},
		Bid: v1alpha1.HTTPBidMapping{
			ID:             `item.id`,
			PostingID:      `item.posting_id`,
			State:          `item.state`,
			IdempotencyKey: `has(item.client_ref) ? item.client_ref : ''`,
			URL:            `item.url`,
			PlacedAt:       `item.placed_at`,
			Amount:         `item.amount`,
			Currency:       `item.currency`,
		},
		States: []v1alpha1.HTTPStateRule{
			{Word: "live", State: v1alpha1.RemoteLive},
			{Word: "award_pending", State: v1alpha1.RemoteAwardPending},
			{Word: "won", State: v1alpha1.RemoteWon},
			{Word: "lost", State: v1alpha1.RemoteLost},
			{Word: "withdrawn", State: v1alpha1.RemoteWithdrawn},
			{Word: "rejected", State: v1alpha1.RemoteRejected},
			{Word: "expired", State: v1alpha1.RemoteExpired},
		},
	}
}

func list(filter v1alpha1.HTTPParameter) v1alpha1.HTTPBidList {
	return v1alpha1.HTTPBidList{
		Request: v1alpha1.HTTPRequest{Method: "GET", Path: `'/bids'`, Query: []v1alpha1.HTTPParameter{filter}},
		Items:   `response.body.items`,
		Next:    `response.body.next_page == null ? {} : {'page': string(int(response.body.next_page))}`,
	}
}
