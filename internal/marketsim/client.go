package marketsim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Client calls the administration of a [Server] over HTTP. It is safe for concurrent use. Its errors say what the
// server said.
type Client struct {
	base string
	http *http.Client
}

// NewClient returns a client for the server at the base URL, such as http://127.0.0.1:8090. It opens connections of its
// own, so that a restart of the server does not disturb other clients of the process.
func NewClient(baseURL string) *Client {
	transport := &http.Transport{DisableKeepAlives: true}
	return &Client{base: strings.TrimSuffix(baseURL, "/"), http: &http.Client{Transport: transport}}
}

// MarketURL returns the base URL of a market.
func (c *Client) MarketURL(market string) string { return c.base + "/" + url.PathEscape(market) }

// Healthy returns nil when the server answers.
func (c *Client) Healthy(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, "/healthz", nil)
}

// PutMarket makes a market or changes its settings, and returns them with their defaults.
func (c *Client) PutMarket(ctx context.Context, name string, s Settings) (Settings, error) {
	return ask[Settings](ctx, c, http.MethodPut, "/markets/"+url.PathEscape(name), s)
}

// Markets returns the settings of every market, by name.
func (c *Client) Markets(ctx context.Context) (map[string]Settings, error) {
	return ask[map[string]Settings](ctx, c, http.MethodGet, "/markets", nil)
}

// PutToken revokes a token, makes it valid again or maps it to an account.
func (c *Client) PutToken(ctx context.Context, t Token) error {
	return c.do(ctx, http.MethodPost, "/tokens", t)
}

// AddFault adds a rule behind those that are there, and returns it with its ID and defaults.
func (c *Client) AddFault(ctx context.Context, f Fault) (Fault, error) {
	return ask[Fault](ctx, c, http.MethodPost, "/faults", f)
}

// Faults returns the rules, spent ones too, in the order in which they were added.
func (c *Client) Faults(ctx context.Context) ([]Fault, error) {
	return ask[[]Fault](ctx, c, http.MethodGet, "/faults", nil)
}

// RemoveFault removes one rule; it is an error when there is none of that ID.
func (c *Client) RemoveFault(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, "/faults/"+url.PathEscape(id), nil)
}

// ClearFaults removes every rule. Calls that have met one are not disturbed.
func (c *Client) ClearFaults(ctx context.Context) error {
	return c.do(ctx, http.MethodDelete, "/faults", nil)
}

// Summary returns what the ledger says about one market, or about all when market is empty.
func (c *Client) Summary(ctx context.Context, market string) (Summary, error) {
	return ask[Summary](ctx, c, http.MethodGet, "/summary"+marketQuery(market), nil)
}

// Live returns the live bids of one market, or of all when market is empty, sorted by market and bid ID.
func (c *Client) Live(ctx context.Context, market string) ([]LiveBid, error) {
	return ask[[]LiveBid](ctx, c, http.MethodGet, "/live"+marketQuery(market), nil)
}

// Ledger returns every record behind the one with seq after; 0 for all.
func (c *Client) Ledger(ctx context.Context, after int64) ([]Record, error) {
	var out []Record
	for {
		query := url.Values{"after": {strconv.FormatInt(after, 10)}, "limit": {strconv.Itoa(maxLedgerLimit)}}
		var page []Record
		err := c.send(ctx, http.MethodGet, "/ledger?"+query.Encode(), nil, func(body io.Reader) error {
			for d := json.NewDecoder(body); d.More(); {
				var r Record
				if err := d.Decode(&r); err != nil {
					return err
				}
				page = append(page, r)
			}
			return nil
		})
		if err != nil || len(page) == 0 {
			return out, err
		}
		out = append(out, page...)
		after = page[len(page)-1].Seq
	}
}

// SetState brings a bid into a state by hand: to award it, or to withdraw it as a person at the marketplace would.
func (c *Client) SetState(ctx context.Context, market, bidID string, state State) error {
	path := "/bids/" + url.PathEscape(market) + "/" + url.PathEscape(bidID)
	return c.do(ctx, http.MethodPost, path, map[string]State{"state": state})
}

// ClosePosting makes the market refuse further bids on a posting. Bids that are there stay as they are.
func (c *Client) ClosePosting(ctx context.Context, market, posting string) error {
	return c.setClosed(ctx, market, posting, true)
}

// ReopenPosting undoes ClosePosting.
func (c *Client) ReopenPosting(ctx context.Context, market, posting string) error {
	return c.setClosed(ctx, market, posting, false)
}

func (c *Client) setClosed(ctx context.Context, market, posting string, closed bool) error {
	in := map[string]any{"market": market, "posting": posting, "closed": closed}
	return c.do(ctx, http.MethodPost, "/postings", in)
}

// Restart makes the server do what [Server.Restart] does.
func (c *Client) Restart(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "/restart", nil)
}

func marketQuery(market string) string {
	if market == "" {
		return ""
	}
	return "?" + url.Values{"market": {market}}.Encode()
}

// ask makes a call and decodes its reply.
func ask[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	var out T
	err := c.send(ctx, method, path, in, func(body io.Reader) error { return json.NewDecoder(body).Decode(&out) })
	return out, err
}

// do makes a call whose reply is not needed.
func (c *Client) do(ctx context.Context, method, path string, in any) error {
	return c.send(ctx, method, path, in, func(io.Reader) error { return nil })
}

func (c *Client) send(ctx context.Context, method, path string, in any, read func(io.Reader) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("marketsim %s %s: %w", method, path, err)
		}
	}()
	var body []byte
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+"/_sim"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(text))
	}
	return read(resp.Body)
}
