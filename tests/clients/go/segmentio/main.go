// The job of job.py for segmentio's kafka-go: a Writer per topic, a Reader per partition. It has no idempotent producer.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strconv"
	"sync"
	"time"

	"corelane/clients/job"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
)

var codecs = map[string]kafka.Compression{
	"none": 0, "gzip": compress.Gzip, "snappy": compress.Snappy, "lz4": compress.Lz4, "zstd": compress.Zstd,
}

func main() {
	job.Main(produce, consume, admin, member)
}

func produce(j *job.Job) {
	var writers []*kafka.Writer
	var acknowledged sync.WaitGroup
	acknowledged.Add(len(j.Lines) * len(j.Topics))
	for _, topic := range j.Topics {
		writers = append(writers, &kafka.Writer{
			Addr: kafka.TCP(j.Bootstrap), Topic: topic.Name, RequiredAcks: kafka.RequireAll, Compression: codecs[topic.Codec],
			BatchTimeout: 5 * time.Millisecond, BatchSize: 1000, Async: true, MaxAttempts: 100, WriteBackoffMax: 200 * time.Millisecond,
			Balancer: kafka.BalancerFunc(func(message kafka.Message, partitions ...int) int {
				number, err := strconv.Atoi(string(message.Key))
				job.Check(err)
				return number % len(partitions)
			}),
			Completion: func(messages []kafka.Message, err error) {
				job.Check(err)
				for _, message := range messages {
					j.Acked(message.Topic, message.Partition, message.Offset, message.Key, message.Value)
					acknowledged.Done()
				}
			},
		})
	}
	for number, value := range j.Lines {
		j.Wait(number)
		key, _ := j.Key(number)
		for _, writer := range writers {
			job.Check(patiently(func() error {
				return writer.WriteMessages(context.Background(), kafka.Message{Key: key, Value: value})
			}))
		}
	}
	acknowledged.Wait()
	for _, writer := range writers {
		job.Check(writer.Close())
	}
}

// It asks for the partitions of a topic before it takes a message, and gives up when the broker is away just then.
func patiently(write func() error) error {
	for attempt := 0; ; attempt++ {
		err := write()
		if err == nil || attempt == 50 {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func consume(j *job.Job) {
	for _, place := range j.Places() {
		reader := kafka.NewReader(kafka.ReaderConfig{
			Brokers: []string{j.Bootstrap}, Topic: place.Topic, Partition: place.Partition, MinBytes: 1, MaxBytes: 1 << 20,
			MaxWait: 100 * time.Millisecond,
		})
		job.Check(reader.SetOffset(0))
		go func() {
			for {
				message, err := reader.ReadMessage(context.Background())
				if err != nil {
					log.Println(err)
					time.Sleep(100 * time.Millisecond)
					continue
				}
				j.Consumed(message.Topic, message.Partition, message.Offset, message.Key, message.Value)
			}
		}()
	}
	for !j.Done() {
		time.Sleep(10 * time.Millisecond)
	}
}

func admin(bootstrap string) {
	client := &kafka.Client{Addr: kafka.TCP(bootstrap)}
	context := context.Background()
	kept := kafka.TopicConfig{
		Topic: "kept", NumPartitions: 2, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "3600000"}},
	}
	gone := kafka.TopicConfig{Topic: "gone", NumPartitions: 1, ReplicationFactor: 1}
	created, err := client.CreateTopics(context, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{kept, gone}})
	job.Check(errors.Join(err, created.Errors["kept"], created.Errors["gone"]))
	fmt.Println("created")
	created, err = client.CreateTopics(context, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{kept}})
	job.Check(err)
	if errors.Is(created.Errors["kept"], kafka.TopicAlreadyExists) {
		fmt.Println("refused")
	}
	grown, err := client.CreatePartitions(context, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: "kept", Count: 5}}})
	job.Check(errors.Join(err, grown.Errors["kept"]))
	fmt.Println("grown")
	deleted, err := client.DeleteTopics(context, &kafka.DeleteTopicsRequest{Topics: []string{"gone"}})
	job.Check(errors.Join(err, deleted.Errors["gone"]))
	fmt.Println("deleted")
	// A client of its own: the first one may know the cluster as it was.
	fresh := &kafka.Client{Addr: kafka.TCP(bootstrap), Transport: &kafka.Transport{}}
	shown, err := fresh.Metadata(context, &kafka.MetadataRequest{})
	job.Check(err)
	if len(shown.Topics) != 1 || len(shown.Topics[0].Partitions) != 5 {
		log.Fatal(shown.Topics)
	}
}
