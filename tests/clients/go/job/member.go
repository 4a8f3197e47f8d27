package job

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// Member is what the group members of all Go libraries share (see member.py): arguments, what they print, when they end.
type Member struct {
	Bootstrap, Topic, Group, Assignor, Instance string
	Session, Heartbeat                          time.Duration
	// Context ends when the member is told to end.
	Context context.Context

	lock        sync.Mutex
	commits     int
	committedAt time.Time
	pending     map[int32]int64
}

// Rare enough that a killed member leaves records behind that it had got and not committed.
const commitEvery = 300 * time.Millisecond

// Record is a partition, an offset and the number that was there.
type Record [3]int64

type event struct {
	Event      string          `json:"event"`
	At         int64           `json:"at"`
	Partitions []int32         `json:"partitions,omitempty"`
	Records    []Record        `json:"records,omitempty"`
	Commit     int             `json:"commit,omitempty"`
	Offsets    map[int32]int64 `json:"offsets,omitempty"`
	Error      string          `json:"error,omitempty"`
}

func newMember(arguments []string) *Member {
	m := &Member{Bootstrap: arguments[0], Topic: arguments[1], Group: arguments[2], Assignor: "range", pending: map[int32]int64{}}
	for _, word := range arguments[3:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "assignor":
			m.Assignor = value
		case "instance":
			m.Instance = value
		case "session":
			milliseconds, err := strconv.Atoi(value)
			Check(err)
			m.Session = time.Duration(milliseconds) * time.Millisecond
			m.Heartbeat = m.Session / 6
		}
	}
	m.Context, _ = signal.NotifyContext(context.Background(), syscall.SIGTERM)
	return m
}

// Number is what the key of a record says.
func Number(key []byte) int64 {
	number, err := strconv.ParseInt(string(key), 10, 64)
	Check(err)
	return number
}

// Subscribing notes that the library is told what to consume.
func (m *Member) Subscribing() {
	m.say(event{Event: "subscribing"})
}

// Assigned notes partitions that are now this member's.
func (m *Member) Assigned(partitions []int32) {
	m.say(event{Event: "assigned", Partitions: partitions})
}

// Revoked notes partitions that no longer are; what is not committed of them is for their next owner.
func (m *Member) Revoked(partitions []int32) {
	m.lock.Lock()
	for _, partition := range partitions {
		delete(m.pending, partition)
	}
	m.lock.Unlock()
	m.say(event{Event: "revoked", Partitions: partitions})
}

// Records notes records as they came.
func (m *Member) Records(records []Record) {
	if len(records) == 0 {
		return
	}
	m.say(event{Event: "records", Records: records})
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, record := range records {
		m.pending[int32(record[0])] = record[1] + 1
	}
}

// Committing gives what is to be committed now, and the number of the commit; nothing before its time, unless this is the end.
func (m *Member) Committing() (map[int32]int64, int) {
	m.lock.Lock()
	if len(m.pending) == 0 || m.Context.Err() == nil && time.Since(m.committedAt) < commitEvery {
		m.lock.Unlock()
		return nil, 0
	}
	offsets := m.pending
	m.pending, m.committedAt = map[int32]int64{}, time.Now()
	m.commits++
	number := m.commits
	m.lock.Unlock()
	m.say(event{Event: "committing", Commit: number, Offsets: offsets})
	return offsets, number
}

// Short is how long to wait for records before a look at what else there is to do.
func (m *Member) Short() (context.Context, context.CancelFunc) {
	return context.WithTimeout(m.Context, 100*time.Millisecond)
}

// Done notes how a commit ended.
func (m *Member) Done(commit int, err error) {
	if err == nil {
		m.say(event{Event: "committed", Commit: commit})
	} else {
		m.say(event{Event: "refused", Commit: commit, Error: err.Error()})
	}
}

// Trouble notes what a user would find in the log.
func (m *Member) Trouble(err error) {
	m.say(event{Event: "trouble", Error: err.Error()})
}

// One write, and never held back: what a killed member had printed is there.
func (m *Member) say(event event) {
	m.lock.Lock()
	defer m.lock.Unlock()
	event.At = monotonic()
	line, err := json.Marshal(event)
	Check(err)
	_, err = os.Stdout.Write(append(line, '\n'))
	Check(err)
}

// The clock that all languages read: nanoseconds since the machine began.
func monotonic() int64 {
	const clockMonotonic = 1
	var now syscall.Timespec
	if _, _, err := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0); err != 0 {
		Check(err)
	}
	return now.Nano()
}
