// Package job is what the jobs of all Go libraries share (see job.py): arguments, pace, files.
package job

import (
	"bufio"
	"bytes"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A minute after all is acknowledged, and longer where there is more text than the test command's.
const (
	consumeMax   = time.Minute
	linesASecond = 2000
)

// Topic is what to produce to, and how.
type Topic struct {
	Name, Codec string
	Idempotent  bool
}

// Place is a partition.
type Place struct {
	Topic     string
	Partition int
}

// Job is the whole of it.
type Job struct {
	Bootstrap  string
	Partitions int
	Lines      [][]byte
	Topics     []Topic

	seconds         float64
	began           time.Time
	lock            sync.Mutex
	acked, consumed *bufio.Writer
	// Offset up to which each partition must be consumed, once all is acknowledged; offset that it was consumed up to.
	ends, at map[Place]int64
	allAcked bool
}

// Main runs what the arguments ask for; `produce` returns when all is acknowledged, `consume` when Done is true.
func Main(produce, consume func(*Job), admin func(bootstrap string), member func(*Member)) {
	log.SetFlags(0)
	switch os.Args[1] {
	case "admin":
		admin(os.Args[2])
		return
	case "member":
		member(newMember(os.Args[2:]))
		return
	}
	file, err := os.ReadFile(os.Args[3])
	Check(err)
	j := &Job{
		Bootstrap: os.Args[1], Lines: bytes.Split(bytes.TrimSuffix(file, []byte("\n")), []byte("\n")), began: time.Now(),
		ends: map[Place]int64{}, at: map[Place]int64{},
	}
	j.Partitions, err = strconv.Atoi(os.Args[2])
	Check(err)
	j.seconds, err = strconv.ParseFloat(os.Args[4], 64)
	Check(err)
	for _, word := range os.Args[6:] {
		parts := strings.Split(word, "/")
		j.Topics = append(j.Topics, Topic{parts[0], parts[1], parts[2] == "idempotent"})
	}
	var closeAcked, closeConsumed func()
	j.acked, closeAcked = create(os.Args[5] + "/acked")
	j.consumed, closeConsumed = create(os.Args[5] + "/consumed")
	done := make(chan struct{})
	go func() {
		consume(j)
		close(done)
	}()
	produce(j)
	j.lock.Lock()
	j.allAcked = true
	j.lock.Unlock()
	closeAcked()
	select {
	case <-done:
	case <-time.After(consumeMax + time.Duration(len(j.Lines)/linesASecond)*time.Second):
		log.Fatal("not all that was acknowledged is consumed")
	}
	closeConsumed()
}

// Places are all partitions of all topics.
func (j *Job) Places() (places []Place) {
	for _, topic := range j.Topics {
		for partition := range j.Partitions {
			places = append(places, Place{topic.Name, partition})
		}
	}
	return places
}

// Wait sleeps until line `number` is due.
func (j *Job) Wait(number int) {
	even := time.Duration(j.seconds * float64(number) / float64(len(j.Lines)) * float64(time.Second))
	time.Sleep(time.Until(j.began.Add(even)))
}

// Key of a line, and where it goes.
func (j *Job) Key(number int) ([]byte, int) {
	return []byte(strconv.Itoa(number)), number % j.Partitions
}

// Acked notes an acknowledged record.
func (j *Job) Acked(topic string, partition int, offset int64, key, value []byte) {
	j.lock.Lock()
	defer j.lock.Unlock()
	write(j.acked, topic, partition, offset, key, value)
	at := Place{topic, partition}
	j.ends[at] = max(j.ends[at], offset+1)
}

// Consumed notes a consumed record.
func (j *Job) Consumed(topic string, partition int, offset int64, key, value []byte) {
	j.lock.Lock()
	defer j.lock.Unlock()
	write(j.consumed, topic, partition, offset, key, value)
	j.at[Place{topic, partition}] = offset + 1
}

// Done is true when all that was acknowledged is consumed.
func (j *Job) Done() bool {
	j.lock.Lock()
	defer j.lock.Unlock()
	for place, end := range j.ends {
		if j.at[place] != end {
			return false
		}
	}
	return j.allAcked
}

func create(path string) (*bufio.Writer, func()) {
	file, err := os.Create(path)
	Check(err)
	out := bufio.NewWriter(file)
	return out, func() {
		Check(out.Flush())
		Check(file.Close())
	}
}

func write(out *bufio.Writer, topic string, partition int, offset int64, key, value []byte) {
	_, err := fmt.Fprintf(out, "%s\t%d\t%d\t%s\t%s\n", topic, partition, offset, key, value)
	Check(err)
}

// Check ends the program with what went wrong.
func Check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
