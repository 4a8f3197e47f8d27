package main

import (
	"errors"
	"fmt"
	"time"

	"corelane/clients/job"
	"github.com/IBM/sarama"
)

var strategies = map[string]sarama.BalanceStrategy{
	"range": sarama.NewBalanceStrategyRange(), "cooperative-sticky": sarama.NewBalanceStrategyCooperativeSticky(), "sticky": sarama.NewBalanceStrategySticky(),
}

type handler struct {
	*job.Member
	admin sarama.ClusterAdmin
}

func member(m *job.Member) {
	config := settings()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategies[m.Assignor]}
	config.Consumer.Group.Session.Timeout = m.Session
	config.Consumer.Group.Heartbeat.Interval = m.Heartbeat
	config.Consumer.Group.InstanceId = m.Instance
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	config.Consumer.Return.Errors = true
	client, err := sarama.NewClient([]string{m.Bootstrap}, config)
	job.Check(err)
	admin, err := sarama.NewClusterAdminFromClient(client)
	job.Check(err)
	group, err := sarama.NewConsumerGroupFromClient(m.Group, client)
	job.Check(err)
	go func() {
		for err := range group.Errors() {
			m.Trouble(err)
		}
	}()
	m.Subscribing()
	for m.Context.Err() == nil {
		err := group.Consume(m.Context, []string{m.Topic}, handler{m, admin})
		if errors.Is(err, sarama.ErrClosedConsumerGroup) {
			break
		}
		if err != nil {
			m.Trouble(err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	job.Check(group.Close())
}

func (h handler) Setup(sarama.ConsumerGroupSession) error { return nil }

func (h handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// A cooperative session outlives its claims, so it is they that are told of.
func (h handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	h.Assigned([]int32{claim.Partition()})
	defer h.Revoked([]int32{claim.Partition()})
	ticks := time.NewTicker(100 * time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case message, more := <-claim.Messages():
			if !more {
				return nil
			}
			h.Records([]job.Record{{int64(message.Partition), message.Offset, job.Number(message.Key)}})
		case <-ticks.C:
		}
		if offsets, commit := h.Committing(); offsets != nil {
			h.Done(commit, h.commit(session, offsets))
		}
	}
}

// Commit of a session says nothing of how it ended, so the broker is asked.
func (h handler) commit(session sarama.ConsumerGroupSession, offsets map[int32]int64) error {
	var partitions []int32
	for partition, offset := range offsets {
		session.MarkOffset(h.Topic, partition, offset, "")
		partitions = append(partitions, partition)
	}
	session.Commit()
	told, err := h.admin.ListConsumerGroupOffsets(h.Group, map[string][]int32{h.Topic: partitions})
	if err != nil {
		return err
	}
	for partition, offset := range offsets {
		found := told.GetBlock(h.Topic, partition)
		if found == nil || found.Err != sarama.ErrNoError || found.Offset != offset {
			return fmt.Errorf("the broker knows %+v of partition %d", found, partition)
		}
	}
	return nil
}
