package conformance

import (
	"net/url"
	"strings"

	"github.com/onsi/gomega"

	"github.com/onebid-dev/onebid/internal/marketplace"
)

// previewed asks for a preview before anything else: what would need a call, the driver cannot know yet.
func previewed(b *bench) {
	posting := b.posting()
	request := b.request(posting)
	request.IdempotencyKey = "key-of-a-preview" // others hold the account's name
	shown, err := b.driver.Preview(b.Context(), request)
	b.Expect(err).NotTo(gomega.HaveOccurred())
	for _, operation := range []string{"account", "place", "lookup", "list", "get", "withdraw"} {
		b.Expect(b.Market.Calls(b.T, operation, b.account, "")).To(gomega.BeZero(), "a preview makes no call, not even %s", operation)
	}

	address, err := url.Parse(shown.URL)
	b.Expect(err).NotTo(gomega.HaveOccurred())
	b.Expect(address.IsAbs()).To(gomega.BeTrue(), "the URL is %q", shown.URL)
	b.Expect(shown.Method).NotTo(gomega.BeEmpty())
	everything := []string{shown.URL, address.Path, address.RawQuery, shown.Body}
	for name, value := range shown.Headers {
		everything = append(everything, name, value)
	}
	text := strings.Join(everything, "\n")
	b.Expect(text).NotTo(gomega.ContainSubstring(b.account), "the token is the account's name, and the account is not known yet")
	b.Expect(text).NotTo(gomega.ContainSubstring(proposal[:30]), "the proposal has a stand-in")
	b.Expect(text).To(gomega.ContainSubstring("120"), "a preview shows the price")
	b.Expect(text).To(gomega.ContainSubstring(marketplace.Redacted), "that there are credentials can be seen")

	_, err = b.driver.Place(b.Context(), marketplace.Unpaced{}, request)
	b.Expect(err).NotTo(gomega.HaveOccurred(), "what was previewed can be placed")
}
