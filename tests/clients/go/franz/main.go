// The job of job.py for franz-go: produces and consumes by manual assignment.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"corelane/clients/job"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func main() {
	if os.Args[1] == "lag" {
		lag(os.Args[2], os.Args[3])
		return
	}
	job.Main(produce, consume, admin, member)
}

func produce(j *job.Job) {
	var clients []*kgo.Client
	for _, topic := range j.Topics {
		options := []kgo.Opt{
			kgo.SeedBrokers(j.Bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(topic.Name),
			kgo.ProducerBatchCompression(codecs[topic.Codec]), kgo.ProducerLinger(5 * time.Millisecond),
		}
		if !topic.Idempotent {
			options = append(options, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1))
		}
		client, err := kgo.NewClient(options...)
		job.Check(err)
		clients = append(clients, client)
	}
	for number, value := range j.Lines {
		j.Wait(number)
		for _, client := range clients {
			key, partition := j.Key(number)
			record := &kgo.Record{Key: key, Value: value, Partition: int32(partition)}
			client.Produce(context.Background(), record, func(record *kgo.Record, err error) {
				job.Check(err)
				j.Acked(record.Topic, int(record.Partition), record.Offset, record.Key, record.Value)
			})
		}
	}
	for _, client := range clients {
		job.Check(client.Flush(context.Background()))
		client.Close()
	}
}

func consume(j *job.Job) {
	assignment := map[string]map[int32]kgo.Offset{}
	for _, topic := range j.Topics {
		assignment[topic.Name] = map[int32]kgo.Offset{}
		for partition := range j.Partitions {
			assignment[topic.Name][int32(partition)] = kgo.NewOffset().At(0)
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(j.Bootstrap), kgo.ConsumePartitions(assignment), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	job.Check(err)
	for !j.Done() {
		short, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		fetches := client.PollFetches(short)
		cancel()
		fetches.EachError(func(topic string, partition int32, err error) {
			if err != context.DeadlineExceeded {
				log.Println(topic, partition, err)
			}
		})
		fetches.EachRecord(func(record *kgo.Record) {
			j.Consumed(record.Topic, int(record.Partition), record.Offset, record.Key, record.Value)
		})
	}
	client.Close()
}

func admin(bootstrap string) {
	connected, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	job.Check(err)
	client := kadm.NewClient(connected)
	context := context.Background()
	retention := "3600000"
	_, err = client.CreateTopic(context, 2, 1, map[string]*string{"retention.ms": &retention}, "kept")
	job.Check(err)
	_, err = client.CreateTopic(context, 1, 1, nil, "gone")
	job.Check(err)
	fmt.Println("created")
	if _, err = client.CreateTopic(context, 2, 1, nil, "kept"); errors.Is(err, kerr.TopicAlreadyExists) {
		fmt.Println("refused")
	}
	grown, err := client.UpdatePartitions(context, 5, "kept")
	job.Check(errors.Join(err, grown.Error()))
	fmt.Println("grown")
	_, err = client.DeleteTopic(context, "gone")
	job.Check(err)
	fmt.Println("deleted")
	topics, err := client.ListTopics(context)
	job.Check(err)
	if len(topics) != 1 || len(topics["kept"].Partitions) != 5 {
		log.Fatal(topics)
	}
}
