package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"corelane/clients/job"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const recordsAtOnce = 500

var balancers = map[string]kgo.GroupBalancer{
	"range": kgo.RangeBalancer(), "cooperative-sticky": kgo.CooperativeStickyBalancer(), "sticky": kgo.StickyBalancer(),
}

func member(m *job.Member) {
	options := []kgo.Opt{
		kgo.SeedBrokers(m.Bootstrap), kgo.ConsumerGroup(m.Group), kgo.ConsumeTopics(m.Topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.Balancers(balancers[m.Assignor]), kgo.BlockRebalanceOnPoll(),
		kgo.SessionTimeout(m.Session), kgo.HeartbeatInterval(m.Heartbeat), kgo.RebalanceTimeout(2 * m.Session),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, all map[string][]int32) { m.Assigned(all[m.Topic]) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, all map[string][]int32) { m.Revoked(all[m.Topic]) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, all map[string][]int32) { m.Revoked(all[m.Topic]) }),
	}
	if m.Instance != "" {
		options = append(options, kgo.InstanceID(m.Instance))
	}
	m.Subscribing()
	client, err := kgo.NewClient(options...)
	job.Check(err)
	for m.Context.Err() == nil {
		short, cancel := m.Short()
		fetches := client.PollRecords(short, recordsAtOnce)
		cancel()
		for _, failed := range fetches.Errors() {
			if !errors.Is(failed.Err, context.DeadlineExceeded) && !errors.Is(failed.Err, context.Canceled) {
				m.Trouble(failed.Err)
			}
		}
		var records []job.Record
		for _, one := range fetches.Records() {
			records = append(records, job.Record{int64(one.Partition), one.Offset, job.Number(one.Key)})
		}
		m.Records(records)
		if offsets, commit := m.Committing(); offsets != nil {
			var last []*kgo.Record
			for partition, offset := range offsets {
				last = append(last, &kgo.Record{Topic: m.Topic, Partition: partition, Offset: offset - 1, LeaderEpoch: -1})
			}
			m.Done(commit, client.CommitRecords(context.Background(), last...))
		}
		client.AllowRebalance()
	}
	client.CloseAllowingRebalance()
}

// lag prints what an admin sees of a group: its state, members, and for each partition what is committed, the end and the lag.
func lag(bootstrap, group string) {
	connected, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	job.Check(err)
	lags, err := kadm.NewClient(connected).Lag(context.Background(), group)
	job.Check(err)
	found := lags[group]
	job.Check(found.Error())
	type partition struct {
		Topic               string
		Partition           int32
		Committed, End, Lag int64
	}
	partitions := []partition{}
	for _, one := range found.Lag.Sorted() {
		partitions = append(partitions, partition{one.Topic, one.Partition, one.Commit.At, one.End.Offset, one.Lag})
	}
	job.Check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"State": found.State, "Members": len(found.Members), "Partitions": partitions,
	}))
}
