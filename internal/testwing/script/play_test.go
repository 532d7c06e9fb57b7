package script

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// vendor is a simulator of one call, which counts how often it was carried out.
type vendor struct {
	script *Script
	ran    atomic.Int64
	inside atomic.Int64
	seen   atomic.Pointer[Answer]
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // so that the server notices a caller who leaves
	v.inside.Add(1)
	_, a := v.script.Play(w, r, Call{
		API: "call", Key: r.URL.Query().Get("key"), Read: r.Method == http.MethodGet,
		Run: func() Answer {
			v.ran.Add(1)
			return Answer{Body: []byte(`{"ok":true,"name":"李洋"}`), Code: "ok"}
		},
		Say: func(f Fault) Answer {
			return Answer{Body: []byte(`{"said":"` + string(f.Kind) + `"}`), Code: "said"}
		},
		Release: func() { v.inside.Add(-1) },
	})
	v.seen.Store(&a)
}

// outcome is what a caller makes of a call.
type outcome struct {
	status int
	body   string
	err    error
}

func call(ctx context.Context, client *http.Client, method, url string) outcome {
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader("{}")
	}
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return outcome{err: err}
	}
	answer, err := client.Do(r)
	if err != nil {
		return outcome{err: err}
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	return outcome{answer.StatusCode, string(b), err}
}

func lost(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Every kind does what it says, over a socket and in memory alike.
func TestEveryKindOfFault(t *testing.T) {
	const whole = `{"ok":true,"name":"李洋"}`
	tests := map[Kind]struct {
		fault Fault
		want  func(outcome) bool
		ran   int64 // with Commit it is always 1
	}{
		Status:       {Fault{Status: 503, Text: "later"}, func(o outcome) bool { return o.status == 503 && o.body == "later" }, 0},
		Code:         {Fault{}, func(o outcome) bool { return o.body == `{"said":"code"}` }, 0},
		Throttle:     {Fault{}, func(o outcome) bool { return o.body == `{"said":"throttle"}` }, 0},
		TokenExpired: {Fault{}, func(o outcome) bool { return o.body == `{"said":"token-expired"}` }, 0},
		GroupMoved:   {Fault{}, func(o outcome) bool { return o.body == `{"said":"group-moved"}` }, 0},
		Refuse:       {Fault{}, func(o outcome) bool { return o.body == `{"said":"refuse"}` }, 0},
		Odd:          {Fault{}, func(o outcome) bool { return o.body == `{"said":"odd"}` }, 0},
		Slow:         {Fault{Delay: time.Millisecond}, func(o outcome) bool { return o.status == 200 && o.body == whole }, 1},
		Hang:         {Fault{Delay: time.Millisecond}, func(o outcome) bool { return lost(o.err) }, 0},
		Cut:          {Fault{}, func(o outcome) bool { return lost(o.err) }, 0},
		Torn:         {Fault{}, func(o outcome) bool { return o.status == 200 && o.body != "" && errors.Is(o.err, io.ErrUnexpectedEOF) }, 0},
		HTML:         {Fault{}, func(o outcome) bool { return strings.HasPrefix(o.body, "<!DOCTYPE html>") }, 0},
		Half: {Fault{}, func(o outcome) bool {
			return o.err == nil && o.status == 200 && o.body != "" && !json.Valid([]byte(o.body))
		}, 0},
		Huge:     {Fault{}, func(o outcome) bool { return len(o.body) == HugeBytes && json.Valid([]byte(o.body)) }, 0},
		Verbatim: {Fault{Status: 201, Text: `{"a":1}`}, func(o outcome) bool { return o.status == 201 && o.body == `{"a":1}` }, 0},
		Late:     {Fault{}, func(o outcome) bool { return lost(o.err) }, 0},
	}
	for _, kind := range Kinds() {
		tt, ok := tests[kind]
		if !ok {
			t.Errorf("kind %q has no test", kind)
			continue
		}
		for _, addr := range []string{"", InMemory} {
			for _, commit := range []bool{false, true} {
				if kind == Late && commit {
					continue // it is carried out in any case
				}
				f := tt.fault
				f.Kind, f.Commit = kind, commit
				v, client, url := raise(t, addr, f)
				want := tt.ran
				if commit {
					want = 1
				}
				if o := call(t.Context(), client, http.MethodPost, url); !tt.want(o) {
					t.Errorf("%s (commit %v, %q): got %d %.60q %v", kind, commit, addr, o.status, o.body, o.err)
				}
				if got := v.ran.Load(); got != want {
					t.Errorf("%s (commit %v, %q): carried out %d times, want %d", kind, commit, addr, got, want)
				}
				if o := call(t.Context(), client, http.MethodPost, url); o.body != whole {
					t.Errorf("%s: the call after it is harmed too: %v %v", kind, o.status, o.err)
				}
				if n := v.inside.Load(); n != 0 {
					t.Errorf("%s (commit %v, %q): %d slots were not given back", kind, commit, addr, n)
				}
			}
		}
	}
}

// raise opens a port with one fault ahead.
func raise(t *testing.T, addr string, faults ...Fault) (*vendor, *http.Client, string) {
	t.Helper()
	v := &vendor{script: New(1)}
	v.script.Add(faults...)
	p := new(Port)
	if err := p.Open(t.Context(), addr, v); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if addr == InMemory {
		return v, &http.Client{Transport: Memory{Handler: v, Port: p}}, p.URL()
	}
	transport := &http.Transport{DisableKeepAlives: true} // a kept connection would repeat a GET that was cut
	t.Cleanup(transport.CloseIdleConnections)
	return v, &http.Client{Transport: transport}, p.URL()
}

// A read is cut in the middle of the answer that it would have had.
func TestReadsAreHalvedFromTheRightAnswer(t *testing.T) {
	_, client, url := raise(t, "", Fault{Kind: Half}, Fault{Kind: Torn})
	for _, kind := range []Kind{Half, Torn} {
		if o := call(t.Context(), client, http.MethodGet, url); !strings.HasPrefix(o.body, `{"ok":true,`) {
			t.Errorf("%s: body %q is no part of the right answer", kind, o.body)
		}
	}
}

func TestFaultsOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, client, url := raise(t, InMemory,
			Fault{Kind: Slow, Delay: 3 * time.Second},
			Fault{Kind: Slow, Delay: time.Minute},
			CommitThenHang("call", 0),
			Fault{Kind: Late, Delay: time.Hour},
			Fault{Kind: Late},
		)
		patience := func() outcome {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			return call(ctx, client, http.MethodPost, url)
		}
		began := time.Now()
		if o := patience(); o.status != 200 || time.Since(began) != 3*time.Second {
			t.Errorf("slow: %+v after %s", o, time.Since(began))
		}
		expect := func(what string, ran int64) {
			t.Helper()
			synctest.Wait()
			if got := v.ran.Load(); got != ran {
				t.Errorf("%s: carried out %d times so far, want %d", what, got, ran)
			}
		}
		if o := patience(); !errors.Is(o.err, context.DeadlineExceeded) {
			t.Errorf("slower than the caller is patient: %+v", o)
		}
		expect("left before the slow call ran", 1)
		if o := patience(); !errors.Is(o.err, context.DeadlineExceeded) {
			t.Errorf("commit then hang: %+v", o)
		}
		expect("commit then hang", 2)
		if o := patience(); !lost(o.err) {
			t.Errorf("late: %+v", o)
		}
		expect("late, before its time", 2)
		<-time.After(time.Hour)
		expect("late, after its time", 3)
		if o := patience(); !lost(o.err) {
			t.Errorf("late without a time: %+v", o)
		}
		<-time.After(24 * time.Hour)
		expect("late without a time", 3)
		v.script.Release()
		v.script.Release()
		expect("released", 4)
	})
}

func TestConstructors(t *testing.T) {
	got := []Fault{CommitThenHang("a", time.Second), CommitThenCut("a"), CommitThenGarbage("a", true), CommitThenGarbage("a", false), Fail500("a", 3)}
	want := []Fault{
		{Kind: Hang, API: "a", Commit: true, Delay: time.Second},
		{Kind: Cut, API: "a", Commit: true},
		{Kind: Half, API: "a", Commit: true},
		{Kind: HTML, API: "a", Commit: true},
		{Kind: Status, API: "a", Times: 3, Status: 500},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestMemoryTellsTheTraceWhatWasWritten(t *testing.T) {
	v, client, url := raise(t, InMemory, Fault{Kind: Cut})
	var steps []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GotConn:              func(httptrace.GotConnInfo) { steps = append(steps, "conn") },
		WroteHeaders:         func() { steps = append(steps, "headers") },
		WroteRequest:         func(httptrace.WroteRequestInfo) { steps = append(steps, "request") },
		GotFirstResponseByte: func() { steps = append(steps, "answer") },
	})
	call(ctx, client, http.MethodPost, url)
	if want := []string{"conn", "headers", "request"}; !slices.Equal(steps, want) {
		t.Errorf("a call that is cut took the steps %v, want %v", steps, want)
	}
	call(ctx, client, http.MethodPost, url)
	if steps[len(steps)-1] != "answer" || v.ran.Load() != 1 {
		t.Errorf("a call that is answered took the steps %v", steps[3:])
	}
}

func TestPortIsRefusedWhileClosed(t *testing.T) {
	for _, addr := range []string{"", InMemory} {
		v := &vendor{}
		p := new(Port)
		client := &http.Client{Transport: Memory{Handler: v, Port: p}}
		if addr == "" {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			client = &http.Client{Transport: transport}
		}
		if p.URL() != "" || p.IsOpen() {
			t.Errorf("a port that never was open is at %q", p.URL())
		}
		if err := p.Open(t.Context(), addr, v); err != nil {
			t.Fatal(err)
		}
		if err := p.Open(t.Context(), addr, v); err == nil {
			t.Error("an open port was opened again")
		}
		url := p.URL()
		for range 2 {
			if o := call(t.Context(), client, http.MethodGet, url); o.status != 200 {
				t.Fatalf("open at %s: %+v", url, o)
			}
			if err := p.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			o := call(t.Context(), client, http.MethodGet, url)
			if op := new(net.OpError); !errors.As(o.err, &op) || op.Op != "dial" || !errors.Is(o.err, syscall.ECONNREFUSED) {
				t.Errorf("closed at %s: %+v, want a refused dial", url, o)
			}
			if err := p.Open(t.Context(), "", v); err != nil {
				t.Fatalf("open the same port again: %v", err)
			}
			if p.URL() != url {
				t.Errorf("opened again at %s, was at %s", p.URL(), url)
			}
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestPortRefusesOtherAddresses(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80", "nowhere", "example.com:80"} {
		if err := new(Port).Open(t.Context(), addr, &vendor{}); err == nil {
			t.Errorf("a port was opened on %q", addr)
		}
	}
}

// Closing drops a call that hangs, and waits until its handler is over.
func TestPortCloseEndsHangingCalls(t *testing.T) {
	v := &vendor{script: New(1)}
	v.script.Add(Fault{Kind: Hang})
	p := new(Port)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	entered := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		v.ServeHTTP(w, r)
	})
	if err := p.Open(ctx, "", h); err != nil {
		t.Fatal(err)
	}
	got := make(chan outcome, 1)
	go func() { got <- call(t.Context(), http.DefaultClient, http.MethodPost, p.URL()) }()
	<-entered
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := v.inside.Load(); n != 0 {
		t.Errorf("closed with %d requests inside", n)
	}
	if o := <-got; o.err == nil {
		t.Errorf("the call was answered: %+v", o)
	}
}

func TestPortClosesWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := new(Port)
	if err := p.Open(ctx, "", &vendor{}); err != nil {
		t.Fatal(err)
	}
	cancel()
	var o outcome
	for o = range outcomes(t.Context(), p.URL()) {
		if o.err != nil && !strings.Contains(o.err.Error(), "closed idle connection") { // the client's own word before it dials
			break
		}
	}
	if p.IsOpen() || !errors.Is(o.err, syscall.ECONNREFUSED) && !lost(o.err) {
		t.Errorf("the port outlived its context: open %v, %v", p.IsOpen(), o.err)
	}
}

// outcomes calls again and again.
func outcomes(ctx context.Context, url string) func(func(outcome) bool) {
	return func(yield func(outcome) bool) {
		for yield(call(ctx, http.DefaultClient, http.MethodGet, url)) {
		}
	}
}

func TestObserverMayBeMissing(t *testing.T) {
	var none Observer
	none.See(Event{})
	var got []Event
	Observer(func(e Event) { got = append(got, e) }).See(Event{Vendor: "weiban"})
	if len(got) != 1 || got[0].Vendor != "weiban" {
		t.Errorf("seen: %+v", got)
	}
}

// witness notes whether the slot was free when the caller could first know the
// outcome.
type witness struct {
	http.ResponseWriter
	free      *atomic.Bool
	knew, was bool
}

func (w *witness) know() {
	if !w.knew {
		w.knew, w.was = true, w.free.Load()
	}
}

func (w *witness) WriteHeader(status int)      { w.know(); w.ResponseWriter.WriteHeader(status) }
func (w *witness) Write(b []byte) (int, error) { w.know(); return w.ResponseWriter.Write(b) }
func (w *witness) sever()                      { w.know() }

func TestSlotIsFreeBeforeTheOutcomeIsKnown(t *testing.T) {
	for _, kind := range append(Kinds(), None) {
		s := New(1)
		s.Add(Fault{Kind: kind, Delay: time.Microsecond})
		free := new(atomic.Bool)
		w := &witness{ResponseWriter: httptest.NewRecorder(), free: free}
		s.Play(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil), Call{
			Run:     func() Answer { return Answer{Body: []byte(`{"a":1}`)} },
			Say:     func(Fault) Answer { return Answer{} },
			Release: func() { free.Store(true) },
		})
		if !w.knew || !w.was {
			t.Errorf("%q: outcome known %v, slot free then %v", kind, w.knew, w.was)
		}
	}
}
