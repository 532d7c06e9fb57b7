//go:build unix

package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Options say what an installation consists of.
type Options struct {
	Dir      string   // must exist; configuration, secrets, store and logs go there
	Programs Programs // see [Build]

	Tenants     []TenantOptions // none: one named acme
	Dispatchers int             // how many replicas; 0 is one
	Servers     int             // NATS servers as processes of their own; 0: the one inside ingest; 3 are a cluster

	NATS       string   // more of the section nats, as in {…}
	Ingest     string   // lines of YAML for the section ingest, indented by two spaces
	Dispatcher string   // the same for the section dispatcher; "" is [Quick]
	LogLevel   string   // "" is info
	Env        []string // for the programs, beside PATH and HOME: NAME=value
}

// Quick are settings of the dispatcher that shorten minutes to seconds: short calls,
// retries, leases and searches. The rules are unchanged.
const Quick = `  calls: {timeout: 1s, read_timeout: 1s, max_wait: 1s}
  retries: {quick_tries: 8, quick_first: 50ms, quick_max: 400ms, waits: [300ms, 1s], missing_young: 1s}
  breaker: {failures: 20, open_for: 300ms, probe_denied: 1s}
  ownership: {renew: 300ms, expire: 1500ms}
  doubt: {looks: [300ms, 1s]}
  ack_wait: 3s
  stop_within: 8s
`

// Installation is a bridge with its vendors. Its processes may be used side by
// side, each by one caller at a time.
type Installation struct {
	Tenants     []*Tenant
	Servers     []*Process // of NATS; none where ingest embeds it
	Ingest      *Process
	Dispatchers []*Process

	o     Options
	ports ports
	nest  *nest
}

// New starts the simulated vendors and writes the files of an installation that
// knows them. No program runs yet. [Installation.Close] ends it.
func New(ctx context.Context, o Options) (*Installation, error) {
	if len(o.Tenants) == 0 {
		o.Tenants = []TenantOptions{{Name: "acme"}}
	}
	o.Dispatchers = max(o.Dispatchers, 1)
	if o.Dispatcher == "" {
		o.Dispatcher = Quick
	}
	if o.LogLevel == "" {
		o.LogLevel = "info"
	}
	i := &Installation{o: o, nest: newNest()}
	if err := i.build(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("new installation: %w", err), i.Close(ctx))
	}
	return i, nil
}

func (i *Installation) build(ctx context.Context) error {
	if err := os.MkdirAll(i.Path("log"), 0o700); err != nil {
		return err
	}
	var err error
	if i.ports, err = freePorts(ctx, max(i.o.Servers, 1), i.o.Dispatchers); err != nil {
		return err
	}
	for n, t := range i.o.Tenants {
		made, err := newTenant(ctx, i.o.Dir, n, t)
		if err != nil {
			return err
		}
		made.Weiban.SetCallbackURL(i.CallbackURL(made.Name))
		i.Tenants = append(i.Tenants, made)
	}
	if err := i.writeFiles(); err != nil {
		return err
	}
	for n := range i.o.Servers {
		i.Servers = append(i.Servers, i.process(server(n), i.o.Programs.NATS, i.ports.monitors[n], "/healthz", "-c", i.Path(server(n)+".conf")))
	}
	i.Ingest = i.process("ingest", i.o.Programs.Ingest, i.ports.ingest, "/readyz", "-c", i.Config())
	for n, port := range i.ports.dispatchers {
		name := replica(n)
		i.Dispatchers = append(i.Dispatchers,
			i.process(name, i.o.Programs.Dispatcher, port, "/readyz", "-c", i.Path(name+".yaml")))
	}
	return nil
}

func replica(n int) string { return fmt.Sprintf("dispatcher-%d", n+1) }

func server(n int) string { return fmt.Sprintf("nats-%d", n+1) }

func (i *Installation) process(name, program string, port int, ready string, args ...string) *Process {
	return &Process{
		Name: name, program: program, args: args, dir: i.o.Dir, env: i.env(), nest: i.nest,
		admin: fmt.Sprintf("http://127.0.0.1:%d", port), ready: ready, log: i.Path("log/" + name + ".log"),
	}
}

func (i *Installation) env() []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + i.o.Dir}, i.o.Env...)
}

// Processes are all programs, in the order in which they need each other.
func (i *Installation) Processes() []*Process {
	all := append(slices.Clone(i.Servers), i.Ingest)
	return slices.DeleteFunc(append(all, i.Dispatchers...), func(p *Process) bool { return p == nil })
}

// Start starts every program that does not run, one after the other, each as
// soon as the one before is ready; the servers of a cluster need each other.
func (i *Installation) Start(ctx context.Context) error {
	for _, p := range i.Servers {
		if p.Running() {
			continue
		}
		if err := p.Launch(); err != nil {
			return err
		}
	}
	for _, p := range i.Servers {
		if err := p.Ready(ctx); err != nil {
			return err
		}
	}
	for _, p := range i.Processes() {
		if p.Running() {
			continue
		}
		if err := p.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stop asks every program that runs to end, the last one first; each must end
// with status 0 before ctx does.
func (i *Installation) Stop(ctx context.Context) error {
	var all error
	for _, p := range slices.Backward(i.Processes()) {
		if p.Running() {
			all = errors.Join(all, p.Stop(ctx))
		}
	}
	return all
}

// Close kills what still runs and closes the vendors' ports. The files stay.
func (i *Installation) Close(ctx context.Context) error {
	var all error
	for _, p := range slices.Backward(i.Processes()) {
		all = errors.Join(all, p.Kill())
	}
	for _, t := range i.Tenants {
		all = errors.Join(all, t.close(ctx))
	}
	i.nest.close()
	return all
}

// Path is a file of the installation.
func (i *Installation) Path(name string) string { return filepath.Join(i.o.Dir, name) }

// Config is the bridge.yaml that ingest and the commands read.
func (i *Installation) Config() string { return i.Path("bridge.yaml") }

// CallbackURL is where a tenant's callbacks go.
func (i *Installation) CallbackURL(tenant string) string {
	return fmt.Sprintf("http://127.0.0.1:%d/weiban/%s", i.ports.callbacks, tenant)
}

// Tenant returns the tenant with a name, nil if there is none.
func (i *Installation) Tenant(name string) *Tenant {
	for _, t := range i.Tenants {
		if t.Name == name {
			return t
		}
	}
	return nil
}
