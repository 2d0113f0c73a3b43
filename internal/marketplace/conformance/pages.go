package conformance

import (
	"net/http"

	"github.com/onsi/gomega"

	onebidv1 "github.com/onebid-dev/onebid/api/v1alpha1"
	"github.com/onebid-dev/onebid/internal/marketplace"
)

// fill places bids for two and a half pages: on one posting where the marketplace takes several, else on as many.
func (b *bench) fill() (posting string, all []string) {
	posting = b.posting()
	for range b.PageSize*2 + b.PageSize/2 {
		on := posting
		if b.Class == onebidv1.ClassUniquePerPosting {
			on = b.posting()
		}
		all = append(all, b.place(on).ID)
		posting = on
	}
	return posting, all
}

func allPages(b *bench) {
	posting, all := b.fill()
	if b.driver.Capabilities().CanList {
		b.Expect(ids(b.list())).To(gomega.ConsistOf(all))
	}
	found := ids(b.lookup(posting))
	if b.Class == onebidv1.ClassUniquePerPosting {
		b.Expect(found).To(gomega.Equal(all[len(all)-1:]), "the newest bid is on the last page")
	} else {
		b.Expect(found).To(gomega.ConsistOf(all))
	}
}

// brokenPages expects that a list with a page missing is no list. Reads that need one page only are not disturbed.
func brokenPages(b *bench) {
	posting, _ := b.fill()
	for _, operation := range b.lists() {
		for _, f := range []Fault{
			{Status: http.StatusInternalServerError}, {Reply: ReplyDrop}, {Reply: ReplyTruncate}, {Reply: ReplyGarbage},
			{Status: http.StatusTooManyRequests}, {Status: http.StatusNotFound},
		} {
			b.sub(operation+" of a page that fails", func(b *bench) {
				f.Operation, f.Skip = operation, 1
				before := b.Market.Calls(b.T, operation, b.account, "")
				b.Market.Spoil(b.T, f)
				bids, err := b.read(operation, marketplace.Ref{PostingID: posting})
				if b.Market.Calls(b.T, operation, b.account, "") == before+1 {
					b.Expect(err).NotTo(gomega.HaveOccurred(), "one page was enough")
					return
				}
				b.Expect(bids).To(gomega.BeEmpty(), "%s", f)
				b.Expect(err).To(gomega.HaveOccurred(), "%s", f)
			})
		}
	}
}
