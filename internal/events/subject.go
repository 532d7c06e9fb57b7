package events

import (
	"fmt"
	"strings"
)

// Every subject begins with this token.
const root = "gongdan"

func subject(tokens ...string) string { return root + "." + strings.Join(tokens, ".") }

// CallbackSubject is where a verified callback goes; event and status are
// Weiban's own words, event is "" where the plaintext was not understood.
func CallbackSubject(tenant, event, status, key string) string {
	event, status = callbackWords(event, status)
	return subject(Token(tenant), "event.weiban", Token(event), Token(status), Token(key))
}

// EnrichedSubject is where an enriched event goes.
func EnrichedSubject(tenant string, n Noun, status, key string) string {
	return subject(Token(tenant), "event.enriched", string(n), Token(status), Token(key))
}

// OutcomeSubject is where the end of an event is announced.
func OutcomeSubject(tenant string, o Outcome, key string) string {
	return subject(Token(tenant), "event.kingdee.handle_order", string(o), Token(key))
}

// ReplaySubject is where an event goes that is sent again to one stage alone.
func ReplaySubject(tenant string, s Stage, n Noun, key string) string {
	return subject(Token(tenant), "replay", string(s), string(n), Token(key))
}

// DeadSubject is where a dead letter goes.
func DeadSubject(tenant string, s Stage, k Kind, n Noun, key string) string {
	return subject(Token(tenant), "dead", string(s), string(k), string(n), Token(key))
}

// DeadFilter are the subjects of dead letters; an empty part takes all.
func DeadFilter(tenant string, s Stage, k Kind, n Noun, key string) string {
	part := func(text string) string {
		if text == "" {
			return "*"
		}
		return Token(text)
	}
	return subject(part(tenant), "dead", part(string(s)), part(string(k)), part(string(n)), part(key))
}

// AuditFilter are the subjects of a tenant's audit.
func AuditFilter(tenant string) string { return subject(Token(tenant), "audit", "*") }

// AuditSubject is where the record of an operator's act goes.
func AuditSubject(tenant, action string) string {
	return subject(Token(tenant), "audit", Token(action))
}

// ControlSubject is where the owner of a tenant answers operators' requests.
func ControlSubject(tenant, verb string) string {
	return subject(Token(tenant), "ctl", Token(verb))
}

// The vendor's name of each noun's change event.
func change(n Noun) string { return string(n) + "_change" }

// NounOf is the noun that an event name of Weiban's is about, "" if none.
func NounOf(event string) Noun {
	for _, n := range []Noun{WorkOrder, Opportunity} {
		if event == change(n) {
			return n
		}
	}
	return ""
}

// StageFilters are the subjects that one stage reads for a tenant and noun:
// its events and its replays.
func StageFilters(tenant string, s Stage, n Noun) []string {
	return filters(tenant, s, n, "*")
}

// OrderFilters are the subjects of one order's events and replays at a stage.
func OrderFilters(tenant string, s Stage, n Noun, key string) []string {
	return filters(tenant, s, n, Token(key))
}

func filters(tenant string, s Stage, n Noun, key string) []string {
	from := []string{"event.enriched", string(n)}
	if s == Enrich {
		from = []string{"event.weiban", change(n)}
	}
	return []string{
		subject(Token(tenant), from[0], from[1], "*", key),
		subject(Token(tenant), "replay", string(s), string(n), key),
	}
}

// Route is what a subject that a stage reads says about its message.
type Route struct {
	Tenant string
	Stage  Stage
	Noun   Noun
	Status string // Weiban's status word; "" for a replay
	Key    string
	Replay bool
}

// ParseRoute reads a subject that [StageFilters] lets through.
func ParseRoute(s string) (Route, error) {
	t := strings.Split(s, ".")
	bad := func() (Route, error) { return Route{}, fmt.Errorf("subject %s: not one that a stage reads", s) }
	if len(t) < 6 || t[0] != root {
		return bad()
	}
	var r Route
	status := ""
	switch {
	case t[2] == "replay" && len(t) == 6:
		r.Replay, r.Stage, r.Noun = true, Stage(t[3]), Noun(t[4])
	case t[2] == "event" && t[3] == "weiban" && len(t) == 7:
		r.Stage, r.Noun, status = Enrich, NounOf(t[4]), t[5]
	case t[2] == "event" && t[3] == "enriched" && len(t) == 7:
		r.Stage, r.Noun, status = Handle, Noun(t[4]), t[5]
	default:
		return bad()
	}
	if (r.Noun != WorkOrder && r.Noun != Opportunity) || (r.Stage != Enrich && r.Stage != Handle) {
		return bad()
	}
	var err error
	if r.Tenant, err = Untoken(t[1]); err != nil {
		return bad()
	}
	if r.Key, err = Untoken(t[len(t)-1]); err != nil {
		return bad()
	}
	if status != "" {
		if r.Status, err = Untoken(status); err != nil {
			return bad()
		}
	}
	return r, nil
}

// ParseCallback reads a subject that [CallbackSubject] made. A callback that was not understood has neither event nor status.
func ParseCallback(s string) (event, status, key string, err error) {
	t := strings.Split(s, ".")
	if len(t) != 7 || t[0] != root || t[2] != "event" || t[3] != "weiban" {
		return "", "", "", fmt.Errorf("subject %s: not a callback's", s)
	}
	var words [3]string
	for i := range words {
		if words[i], err = Untoken(t[4+i]); err != nil {
			return "", "", "", fmt.Errorf("subject %s: not a callback's", s)
		}
	}
	switch {
	case words[0] == unrecognised:
		words[0], words[1] = "", ""
	case strings.TrimRight(words[0], "_") == unrecognised:
		words[0] = words[0][:len(words[0])-1]
	}
	return words[0], words[1], words[2], nil
}
