// The job of job.py for franz-go: produces and consumes by manual assignment.
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

type where struct {
	topic     string
	partition int32
}

type job struct {
	bootstrap  string
	partitions int
	lines      [][]byte
	seconds    float64
	out        string
	// topic, codec, mode
	topics [][]string
}

func main() {
	log.SetFlags(0)
	file, err := os.ReadFile(os.Args[3])
	check(err)
	j := job{bootstrap: os.Args[1], out: os.Args[5], lines: bytes.Split(bytes.TrimSuffix(file, []byte("\n")), []byte("\n"))}
	j.partitions, err = strconv.Atoi(os.Args[2])
	check(err)
	j.seconds, err = strconv.ParseFloat(os.Args[4], 64)
	check(err)
	for _, word := range os.Args[6:] {
		j.topics = append(j.topics, strings.Split(word, "/"))
	}
	acknowledged := make(chan map[where]int64, 1)
	consumed := make(chan struct{})
	go func() {
		j.consume(acknowledged)
		close(consumed)
	}()
	acknowledged <- j.produce()
	select {
	case <-consumed:
	case <-time.After(time.Minute):
		log.Fatal("not all that was acknowledged is consumed")
	}
}

// Offset after the last acknowledged record, by partition.
func (j *job) produce() map[where]int64 {
	file, acked := j.create("acked")
	ends := map[where]int64{}
	var lock sync.Mutex
	var clients []*kgo.Client
	for _, topic := range j.topics {
		options := []kgo.Opt{
			kgo.SeedBrokers(j.bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(topic[0]),
			kgo.ProducerBatchCompression(codecs[topic[1]]), kgo.ProducerLinger(5 * time.Millisecond),
		}
		if topic[2] == "plain" {
			options = append(options, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1))
		}
		client, err := kgo.NewClient(options...)
		check(err)
		clients = append(clients, client)
	}
	began := time.Now()
	for number, value := range j.lines {
		even := time.Duration(j.seconds * float64(number) / float64(len(j.lines)) * float64(time.Second))
		time.Sleep(time.Until(began.Add(even)))
		for _, client := range clients {
			record := &kgo.Record{Key: []byte(strconv.Itoa(number)), Value: value, Partition: int32(number % j.partitions)}
			client.Produce(context.Background(), record, func(record *kgo.Record, err error) {
				check(err)
				lock.Lock()
				defer lock.Unlock()
				write(acked, record)
				at := where{record.Topic, record.Partition}
				ends[at] = max(ends[at], record.Offset+1)
			})
		}
	}
	for _, client := range clients {
		check(client.Flush(context.Background()))
		client.Close()
	}
	check(acked.Flush())
	check(file.Close())
	return ends
}

func (j *job) consume(acknowledged chan map[where]int64) {
	file, consumed := j.create("consumed")
	assignment := map[string]map[int32]kgo.Offset{}
	for _, topic := range j.topics {
		assignment[topic[0]] = map[int32]kgo.Offset{}
		for partition := range j.partitions {
			assignment[topic[0]][int32(partition)] = kgo.NewOffset().At(0)
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(j.bootstrap), kgo.ConsumePartitions(assignment), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	check(err)
	at := map[where]int64{}
	var ends map[where]int64
	for !reached(at, ends) {
		short, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		fetches := client.PollFetches(short)
		cancel()
		fetches.EachError(func(topic string, partition int32, err error) {
			if err != context.DeadlineExceeded {
				log.Println(topic, partition, err)
			}
		})
		fetches.EachRecord(func(record *kgo.Record) {
			write(consumed, record)
			at[where{record.Topic, record.Partition}] = record.Offset + 1
		})
		select {
		case ends = <-acknowledged:
		default:
		}
	}
	client.Close()
	check(consumed.Flush())
	check(file.Close())
}

func reached(at, ends map[where]int64) bool {
	for place, end := range ends {
		if at[place] != end {
			return false
		}
	}
	return ends != nil
}

func (j *job) create(name string) (*os.File, *bufio.Writer) {
	file, err := os.Create(j.out + "/" + name)
	check(err)
	return file, bufio.NewWriter(file)
}

func write(out *bufio.Writer, record *kgo.Record) {
	_, err := fmt.Fprintf(out, "%s\t%d\t%d\t%s\t%s\n", record.Topic, record.Partition, record.Offset, record.Key, record.Value)
	check(err)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
