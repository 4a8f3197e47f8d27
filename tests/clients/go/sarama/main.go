// The job of job.py for sarama: an AsyncProducer per topic, a PartitionConsumer per partition.
package main

import (
	"errors"
	"fmt"
	"log"
	"slices"
	"sync"
	"time"

	"corelane/clients/job"
	"github.com/IBM/sarama"
)

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

func main() {
	job.Main(produce, consume, admin, member)
}

func settings() *sarama.Config {
	config := sarama.NewConfig()
	// Its default of 3 retries 100 ms apart is over before a broker has started again.
	config.Producer.Retry.Max = 100
	config.Metadata.Retry.Max = 100
	return config
}

func produce(j *job.Job) {
	var acknowledged sync.WaitGroup
	var producers []sarama.AsyncProducer
	for _, topic := range j.Topics {
		config := settings()
		config.Producer.RequiredAcks = sarama.WaitForAll
		config.Producer.Compression = codecs[topic.Codec]
		config.Producer.Partitioner = sarama.NewManualPartitioner
		config.Producer.Return.Successes = true
		config.Producer.Flush.Frequency = 5 * time.Millisecond
		config.Producer.Idempotent = topic.Idempotent
		// What it demands of an idempotent producer, and what keeps the order of another one.
		config.Net.MaxOpenRequests = 1
		producer, err := sarama.NewAsyncProducer([]string{j.Bootstrap}, config)
		job.Check(err)
		producers = append(producers, producer)
		acknowledged.Go(func() {
			for message := range producer.Successes() {
				key, _ := message.Key.Encode()
				value, _ := message.Value.Encode()
				j.Acked(message.Topic, int(message.Partition), message.Offset, key, value)
			}
		})
		go func() {
			for err := range producer.Errors() {
				log.Fatal(err)
			}
		}()
	}
	for number, value := range j.Lines {
		j.Wait(number)
		for at, producer := range producers {
			key, partition := j.Key(number)
			producer.Input() <- &sarama.ProducerMessage{
				Topic: j.Topics[at].Name, Partition: int32(partition), Key: sarama.ByteEncoder(key), Value: sarama.ByteEncoder(value),
			}
		}
	}
	for _, producer := range producers {
		producer.AsyncClose()
	}
	acknowledged.Wait()
}

func consume(j *job.Job) {
	config := settings()
	config.Consumer.Return.Errors = true
	consumer, err := sarama.NewConsumer([]string{j.Bootstrap}, config)
	job.Check(err)
	for _, place := range j.Places() {
		partition, err := consumer.ConsumePartition(place.Topic, int32(place.Partition), 0)
		job.Check(err)
		go func() {
			for message := range partition.Messages() {
				j.Consumed(message.Topic, int(message.Partition), message.Offset, message.Key, message.Value)
			}
		}()
		go func() {
			for err := range partition.Errors() {
				log.Println(err)
			}
		}()
	}
	for !j.Done() {
		time.Sleep(10 * time.Millisecond)
	}
}

func admin(bootstrap string) {
	client, err := sarama.NewClusterAdmin([]string{bootstrap}, settings())
	job.Check(err)
	retention := "3600000"
	kept := &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &retention}}
	job.Check(client.CreateTopic("kept", kept, false))
	job.Check(client.CreateTopic("gone", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false))
	fmt.Println("created")
	if err = client.CreateTopic("kept", kept, false); errors.Is(err, sarama.ErrTopicAlreadyExists) {
		fmt.Println("refused")
	}
	job.Check(client.CreatePartitions("kept", 5, nil, false))
	fmt.Println("grown")
	job.Check(client.DeleteTopic("gone"))
	fmt.Println("deleted")
	topics, err := client.ListTopics()
	job.Check(err)
	if len(topics) != 1 || topics["kept"].NumPartitions != 5 || *topics["kept"].ConfigEntries["retention.ms"] != retention {
		log.Fatal(topics)
	}
	described, err := client.DescribeLogDirs([]int32{0, 1})
	job.Check(err)
	seen := 0
	for _, dirs := range described {
		seen += len(slices.Collect(partitions(dirs)))
	}
	if seen != 5 {
		log.Fatal(described)
	}
}

func partitions(dirs []sarama.DescribeLogDirsResponseDirMetadata) func(func(int32) bool) {
	return func(yield func(int32) bool) {
		for _, dir := range dirs {
			for _, topic := range dir.Topics {
				for _, partition := range topic.Partitions {
					if !yield(partition.PartitionID) {
						return
					}
				}
			}
		}
	}
}
