package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// relate checks settings against each other.
func relate(c *Config, d *decoder) {
	relateNATS(c, d)
	relateListeners(c, d)
	relateIntervals(c, d)
	relateTenants(c, d)
}

// against adds a fault at a path, unless the setting itself is already known to be wrong.
func (d *decoder) against(path, message, expected string) {
	if d.wrong[path] {
		return
	}
	d.wrong[path] = true
	d.Fault(d.near(path), path, message, expected)
}

func (d *decoder) has(path string) bool { return d.written[path] != nil }

func relateNATS(c *Config, d *decoder) {
	n := c.NATS
	if (n.TLS.CertFile == "") != (n.TLS.KeyFile == "") {
		d.against("nats.tls", "has one of cert_file and key_file", "both or none")
	}
	if n.CredentialsFile != "" && d.has("nats.token") {
		d.against("nats.token", "stands beside credentials_file", "one of them")
	}
	if d.has("nats.url") {
		return
	}
	for _, path := range []string{"nats.credentials_file", "nats.token", "nats.tls"} {
		if d.has(path) {
			d.against(path, "stands without nats.url", "nats.url beside it: the embedded server makes its own token")
		}
	}
	if n.Replicas > 1 {
		d.against("nats.replicas", "is "+strconv.Itoa(n.Replicas)+" without nats.url", "1: the embedded server is alone")
	}
	if sum := n.space(); n.Embedded.MaxStore > 0 && sum > n.Embedded.MaxStore {
		d.against("nats.embedded.max_store", fmt.Sprintf("is %v for streams and buckets of %v together", n.Embedded.MaxStore, sum), "no less than they may hold: JetStream sets it aside")
	}
}

// space is what all streams and buckets may hold together.
func (n NATS) space() Size {
	s, b := n.Streams, n.Buckets
	return s.Callbacks.MaxBytes + s.Events.MaxBytes + s.Dead.MaxBytes + s.Audit.MaxBytes + b.State + b.Tokens + b.Tables
}

func relateIntervals(c *Config, d *decoder) {
	less := func(path string, ok bool, found, expected string) {
		if !ok {
			d.against(path, "is "+found, expected)
		}
	}
	s := c.NATS.Streams
	for path, age := range map[string]Stream{"nats.streams.callbacks": s.Callbacks, "nats.streams.events": s.Events, "nats.streams.audit": s.Audit} {
		less(path+".max_age", age.MaxAge == 0 || s.DuplicateWindow <= age.MaxAge, durationText(age.MaxAge), "at least nats.streams.duplicate_window, "+durationText(s.DuplicateWindow))
	}
	o := c.Dispatcher.Ownership
	less("dispatcher.ownership.expire", o.Renew == 0 || o.Expire == 0 || o.Expire >= 3*o.Renew, durationText(o.Expire), "at least three times dispatcher.ownership.renew, "+durationText(3*o.Renew))
	i := c.Ingest
	less("ingest.write_timeout", i.WriteTimeout == 0 || i.WriteTimeout > i.PublishTimeout, durationText(i.WriteTimeout), "more than ingest.publish_timeout, "+durationText(i.PublishTimeout))
	retries := map[string]Retries{"dispatcher.retries": c.Dispatcher.Retries}
	for n, tenant := range c.Tenants {
		retries[fmt.Sprintf("tenants[%d].retries", n)] = tenant.Retries
	}
	for path, r := range retries {
		// What a tenant inherits is the installation's fault, and told there.
		own := path == "dispatcher.retries" || d.has(path+".quick_max") || d.has(path+".quick_first")
		less(path+".quick_max", !own || r.QuickMax == 0 || r.QuickFirst <= r.QuickMax, durationText(r.QuickMax), "at least quick_first, "+durationText(r.QuickFirst))
	}
}

// listener is an address that one of the programs opens.
type listener struct{ path, address string }

// relateListeners refuses two listeners on one port: both programs are usually on one host, and
// this is the one file they share.
func relateListeners(c *Config, d *decoder) {
	all := []listener{
		{"ingest.listen", c.Ingest.Listen},
		{"ingest.admin", c.Ingest.Admin},
		{"dispatcher.admin", c.Dispatcher.Admin},
	}
	if !d.has("nats.url") {
		all = append(all, listener{"nats.embedded.port", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.NATS.Embedded.Port))})
	}
	for i, one := range all {
		for _, other := range all[:i] {
			if one.address == "" || other.address == "" || !collide(one.address, other.address) {
				continue
			}
			at, against := one, other
			if !d.has(at.path) { // the fault stands at a setting that is written
				at, against = against, at
			}
			d.against(at.path, fmt.Sprintf("is %q, which is also the port of %s (%s)", at.address, against.path, against.address), "a port of its own")
		}
	}
}

func collide(a, b string) bool {
	hostA, portA, okA := splitAddress(a)
	hostB, portB, okB := splitAddress(b)
	if !okA || !okB || portA != portB || portA == 0 {
		return false
	}
	return hostA == hostB || isEverywhere(hostA) || isEverywhere(hostB) || isLoopback(hostA) && isLoopback(hostB)
}

func isEverywhere(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// relateTenants refuses what two tenants may not share: limits, order and tokens are kept by
// corporation and by account set.
func relateTenants(c *Config, d *decoder) {
	names, corps, accounts := map[string]int{}, map[string]int{}, map[string]int{}
	unique := func(seen map[string]int, i int, path, value string) {
		if value == "" {
			return
		}
		if first, ok := seen[value]; ok {
			d.against(fmt.Sprintf("tenants[%d].%s", i, path), fmt.Sprintf("is %q, which tenants[%d] has on line %d", value, first, d.near(fmt.Sprintf("tenants[%d].%s", first, path)).Line), "one that no other tenant has")
			return
		}
		seen[value] = i
	}
	for i, t := range c.Tenants {
		relatePace(d, fmt.Sprintf("tenants[%d].weiban", i), t.Weiban.PerMinute, t.Weiban.InFlight, weibanLimit)
		relatePace(d, fmt.Sprintf("tenants[%d].kingdee", i), t.Kingdee.PerMinute, t.Kingdee.InFlight, kingdeeLimit)
		unique(names, i, "name", t.Name)
		unique(corps, i, "weiban.corp_id", t.Weiban.CorpID)
		unique(accounts, i, "kingdee.account_id", t.Kingdee.AccountID)
		path := fmt.Sprintf("tenants[%d].kingdee", i)
		switch app, static := t.Kingdee.App != nil, t.Kingdee.Static != nil; {
		case app && static:
			d.against(path, "has both app and static", "one of them")
		case !app && !static && !d.broken(path):
			d.against(path, "has neither app nor static", "one of them")
		}
		if t.Kingdee.Photos.Mode == PhotosUpload && len(t.Kingdee.Photos.Hosts) == 0 && !d.broken(path+".photos") {
			d.against(path+".photos.hosts", "is empty beside mode: upload", "the hosts that pictures may be fetched from")
		}
	}
}

// The vendors' limits, calls a minute: Weiban's of one API (doc-382947), Kingdee's of an account set.
const (
	weibanLimit  = 600
	kingdeeLimit = 500
)

// relatePace refuses a pace that the vendor's minute has no room for. A line starts at most
// perMinute calls in any minute, a burst included; but of the calls that are on their way at its
// beginning as many as inFlight may arrive late and count with those that come after.
func relatePace(d *decoder, at string, perMinute, inFlight, limit int) {
	if perMinute+inFlight < limit || d.broken(at) {
		return
	}
	path := at + ".per_minute"
	if !d.has(path) { // the fault stands at a setting that is written
		path = at + ".in_flight"
	}
	d.against(path, fmt.Sprintf("is %d a minute with %d in flight", perMinute, inFlight), fmt.Sprintf("per_minute and in_flight together below the vendor's %d a minute", limit))
}

// broken reports a section that is not even a mapping: what it lacks is then not worth a word.
func (d *decoder) broken(path string) bool {
	for at := path; at != ""; at = at[:max(0, strings.LastIndexAny(at, ".["))] {
		if d.wrong[at] {
			return true
		}
	}
	return false
}
