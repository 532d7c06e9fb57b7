package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/config"
)

// harms are what may befall a consumer on the server.
var harms = []struct {
	name string
	do   func(context.Context, jetstream.JetStream, string, jetstream.ConsumerConfig) error
}{
	{"deleted", func(ctx context.Context, js jetstream.JetStream, stream string, c jetstream.ConsumerConfig) error {
		return js.DeleteConsumer(ctx, stream, c.Durable)
	}},
	{"paused", func(ctx context.Context, js jetstream.JetStream, stream string, c jetstream.ConsumerConfig) error {
		_, err := js.PauseConsumer(ctx, stream, c.Durable, time.Now().Add(time.Hour))
		return err
	}},
	{"other subjects", func(ctx context.Context, js jetstream.JetStream, stream string, c jetstream.ConsumerConfig) error {
		c.FilterSubject, c.FilterSubjects = "gongdan.nobody.event.>", nil
		_, err := js.UpdateConsumer(ctx, stream, c)
		return err
	}},
	{"made anew, for new messages alone", func(ctx context.Context, js jetstream.JetStream, stream string, c jetstream.ConsumerConfig) error {
		c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverNewPolicy, 0
		for {
			if err := js.DeleteConsumer(ctx, stream, c.Durable); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
				return err
			}
			_, err := js.CreateConsumer(ctx, stream, c)
			if !errors.Is(err, jetstream.ErrConsumerExists) { // the dispatcher was quicker
				return err
			}
		}
	}},
}

// TestConsumerStalls: a consumer of the owner that the server deletes, changes, or
// no longer serves is noticed, made anew and reported; events go on, and nothing is
// lost or doubled.
func TestConsumerStalls(t *testing.T) {
	t.Parallel()
	s := seed(t)
	dice := rand.New(rand.NewPCG(s, 10))
	o := roomy()
	o.Dispatcher = strings.Replace(o.Dispatcher, "sweeps: {doubles: 1s}", "sweeps: {doubles: 1s, stalls: 300ms}", 1)
	in := install(t, s, o)
	c := in.customers[0]
	in.run("ingest", app.Run.Ingest, nil)
	dispatcher := in.run("dispatcher", app.Run.Dispatcher, func(cfg *config.Config) { paceless(cfg) })
	books := in.books()
	js := in.jetstream()

	stages := map[string]string{"enrich": "CALLBACKS", "handle": "EVENTS"}
	lives, births := c.orders(t, short(30, 15), 0)
	c.Weiban.Post(t.Context(), births...)
	books.settledAfter(t, c)
	told := c.months(t, dice, lives, 10)
	chunk := len(told) / (2 * len(stages) * len(harms))
	post := func() {
		c.Weiban.Post(t.Context(), told[:chunk]...)
		told = told[chunk:]
	}
	rebuilt := func(stage string) int {
		log, err := os.ReadFile(in.Path("log/dispatcher.log"))
		if err != nil {
			t.Fatal(err)
		}
		return len(regexp.MustCompile(`"msg":"consumer rebuilt".*"consumer":"`+stage+`-work_order-`).FindAll(log, -1))
	}
	for stage, stream := range stages {
		begins := stage + "-work_order-"
		sound := in.consumer(js, stream, begins)
		for _, harm := range harms {
			post()
			before := rebuilt(stage)
			if err := harm.do(t.Context(), js, stream, in.consumer(js, stream, begins)); err != nil {
				t.Fatalf("%s %s: %v", stage, harm.name, err)
			}
			post()
			until(t, patience, 20*time.Millisecond, stage+" is rebuilt: "+harm.name, func() (bool, string) {
				is := in.consumer(js, stream, begins)
				return rebuilt(stage) > before && cmp.Equal(is.FilterSubjects, sound.FilterSubjects) && is.PauseUntil == nil &&
					is.DeliverPolicy != jetstream.DeliverNewPolicy, fmt.Sprintf("%d log lines, %+v", rebuilt(stage)-before, is)
			})
		}
	}
	c.Weiban.Post(t.Context(), told...)
	books.settledAfter(t, c)
	books.audited(t)
	page := in.get(dispatcher.Admin + "/metrics")
	for stage := range stages {
		line := regexp.MustCompile(`(?m)^gongdan_dispatch_rebuilds_total\{[^}]*noun="work_order"[^}]*stage="` + stage + `"[^}]*\} (\d+)$`)
		if m := line.FindSubmatch(page); m == nil || string(m[1]) != fmt.Sprint(rebuilt(stage)) {
			t.Errorf("%s: the metric says %q, the log %d", stage, m, rebuilt(stage))
		}
	}
	if want := []byte("its subjects were changed on the server"); !bytes.Contains(in.log("dispatcher"), want) {
		t.Errorf("the log does not say why: %s", want)
	}
	t.Logf("%d callbacks, %v", c.Weiban.Accepted(), books.outcomes)
}

// jetstream is an administrator's connection to the NATS servers.
func (in *installation) jetstream() jetstream.JetStream {
	in.t.Helper()
	token, err := os.ReadFile(in.Path("nats.token"))
	if err != nil {
		in.t.Fatal(err)
	}
	nc, err := nats.Connect(in.NATSURL(), nats.Token(strings.TrimSpace(string(token))), nats.MaxReconnects(-1))
	if err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		in.t.Fatal(err)
	}
	return js
}

// consumer is how the consumer whose name begins so was made.
func (in *installation) consumer(js jetstream.JetStream, stream, begins string) jetstream.ConsumerConfig {
	in.t.Helper()
	var found jetstream.ConsumerConfig
	until(in.t, patience, 10*time.Millisecond, begins+" is there", func() (bool, string) {
		s, err := js.Stream(in.t.Context(), stream)
		if err != nil {
			return false, err.Error()
		}
		for info := range s.ListConsumers(in.t.Context()).Info() {
			if strings.HasPrefix(info.Name, begins) {
				found = info.Config
			}
		}
		return found.Durable != "", ""
	})
	return found
}

func (in *installation) log(name string) []byte {
	in.t.Helper()
	text, err := os.ReadFile(in.Path("log/" + name + ".log"))
	if err != nil {
		in.t.Fatal(err)
	}
	return text
}

func (in *installation) get(url string) []byte {
	in.t.Helper()
	r, err := http.NewRequestWithContext(in.t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		in.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		in.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		in.t.Fatal(err)
	}
	return page
}
