package bus_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/natsd"
	"gongdan-bridge/internal/testwing/bustest"
)

// Each publish is on disk before it returns.
func BenchmarkPublish(b *testing.B) {
	data := make([]byte, 1024)
	for _, at := range []int{1, 64} {
		b.Run(fmt.Sprintf("publishers=%d", at), func(b *testing.B) {
			db := bustest.New(b)
			var n atomic.Int64
			b.SetBytes(int64(len(data)))
			b.SetParallelism(at / 2) // of two processors
			one := func() {
				m := callback(int(n.Add(1)))
				m.Data = data
				if _, err := db.Publish(context.Background(), m); err != nil {
					b.Error(err)
				}
			}
			if at == 1 {
				for b.Loop() {
					one()
				}
				return
			}
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					one()
				}
			})
		})
	}
}

// The first own message of one order behind a cursor, among many orders.
func BenchmarkNext(b *testing.B) {
	const orders = 50_000
	db := crowded(b, orders)
	filter := events.OrderFilters("acme", events.Enrich, events.WorkOrder, fmt.Sprint(orders-1))[0]
	last := must(db.Last(context.Background(), bus.Callbacks, ">"))(b).Sequence
	for name, from := range map[string]uint64{"from the start": 1, "near the end": last - 100} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := db.Next(context.Background(), bus.Callbacks, filter, from); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("none", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Next(context.Background(), bus.Callbacks, filter, last+1); err == nil {
				b.Fatal("found one")
			}
		}
	})
}

// crowded is a bus over as many orders' subjects. Their messages need not survive a
// power cut, so this one server does not wait for the disk.
func crowded(b *testing.B, orders int) *bus.Bus {
	b.Helper()
	s := must(natsd.Start(context.Background(), natsd.Options{MaxStore: 20 << 30, Dir: b.TempDir(), NoSync: true}))(b)
	b.Cleanup(func() { stop(b, s) })
	db := bustest.Connect(b, s, bus.Options{})
	keys := make(chan int)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := range keys {
				if _, err := db.Publish(context.Background(), callback(i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range orders {
		keys <- i
	}
	close(keys)
	wg.Wait()
	return db
}

func BenchmarkPutFenced(b *testing.B) {
	k := bustest.New(b).Bucket(bus.State)
	claim := must(k.Create(context.Background(), "owner.acme", nil))(b)
	data := make([]byte, 2048)
	for i := 0; b.Loop(); i++ {
		_, err := k.PutFenced(context.Background(), fmt.Sprintf("order.acme.work_order.%d", i%1000), data, bus.Fence{Key: "owner.acme", Revision: claim})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPage100(b *testing.B) {
	db := bustest.New(b)
	for i := range 500 {
		publish(b, db, bus.Message{
			Subject: events.DeadSubject("acme", events.Handle, events.Unmapped, events.WorkOrder, fmt.Sprint(i)), Data: make([]byte, 2048),
		})
	}
	for b.Loop() {
		if page := must(db.Page(context.Background(), bus.Dead, "gongdan.acme.dead.>", 1, 100))(b); len(page) != 100 {
			b.Fatal(len(page))
		}
	}
}

// A takeover loads the tenant's ten thousand waiting orders: goal, under two seconds.
func BenchmarkLoad10000(b *testing.B) {
	db := bustest.New(b)
	fill(b, db, 10_000)
	for b.Loop() {
		n := 0
		if err := db.Bucket(bus.State).Load(context.Background(), "wait.acme", func(bus.Entry) error { n++; return nil }); err != nil || n != 10_000 {
			b.Fatal(n, err)
		}
	}
}
