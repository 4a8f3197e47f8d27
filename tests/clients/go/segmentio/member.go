package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"corelane/clients/job"
	"github.com/segmentio/kafka-go"
)

// Its Reader says nothing of assignments but in its log; records come one by one.
type watcher struct {
	*job.Member
	mine []int32
}

// Printf takes what the Reader logs: a new generation is joined, then its partitions are consumed.
func (w *watcher) Printf(format string, arguments ...any) {
	switch {
	case strings.HasPrefix(format, "joined group"):
		w.Revoked(w.mine)
	case strings.HasPrefix(format, "subscribed to topics and partitions"):
		w.mine = nil
		// Its type is private: map[{topic partition}]offset.
		for _, word := range strings.Split(strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%+v", arguments[0]), "map["), "]"), "{") {
			var partition int32
			if _, err := fmt.Sscanf(word, "topic:"+w.Topic+" partition:%d}", &partition); err == nil {
				w.mine = append(w.mine, partition)
			}
		}
		w.Assigned(w.mine)
	}
}

func member(m *job.Member) {
	w := &watcher{Member: m}
	m.Subscribing()
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{m.Bootstrap}, GroupID: m.Group, Topic: m.Topic, StartOffset: kafka.FirstOffset,
		GroupBalancers: []kafka.GroupBalancer{kafka.RangeGroupBalancer{}}, SessionTimeout: m.Session, HeartbeatInterval: m.Heartbeat,
		RebalanceTimeout: 2 * m.Session, JoinGroupBackoff: 100 * time.Millisecond, MinBytes: 1, MaxBytes: 1 << 20,
		MaxWait: 100 * time.Millisecond, Logger: w,
		ErrorLogger: kafka.LoggerFunc(func(format string, arguments ...any) { m.Trouble(fmt.Errorf(format, arguments...)) }),
	})
	for m.Context.Err() == nil {
		short, cancel := m.Short()
		message, err := reader.FetchMessage(short)
		cancel()
		if err == nil {
			m.Records([]job.Record{{int64(message.Partition), message.Offset, job.Number(message.Key)}})
		} else if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			m.Trouble(err)
		}
		if offsets, commit := m.Committing(); offsets != nil {
			var last []kafka.Message
			for partition, offset := range offsets {
				last = append(last, kafka.Message{Topic: m.Topic, Partition: int(partition), Offset: offset - 1})
			}
			m.Done(commit, reader.CommitMessages(context.Background(), last...))
		}
	}
	if err := reader.Close(); !errors.Is(err, context.Canceled) {
		job.Check(err)
	}
}
