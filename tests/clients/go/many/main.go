// Many groups of many members over few connections, as the broker sees them: joined, synced, and heartbeating every three seconds.
//
// usage: BOOTSTRAP GROUPS MEMBERS
// The members of a group are on as many connections to its coordinator, which serve other groups as well. The broker must wait for all
// members of a group before it answers the first (group.initial.rebalance.delay.ms: half a second will do). A line of JSON when all are in, then one a second: heartbeats answered since the line before, by
// error code, and "lost": connections lost. A lost one is made again until it is there. SIGTERM ends it.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"corelane/clients/job"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	heartbeatEvery = 3 * time.Second
	sessionMillis  = 300_000
	errorsKnown    = 128
	// So many groups are built at the same time, on connections of their own, at each coordinator.
	teams = 10
)

type member struct {
	group, id  string
	generation int32
}

// One connection; its requests are answered in order.
type connection struct {
	address string
	members []*member
	net.Conn
	in *bufio.Reader
}

var counts [errorsKnown]atomic.Int64
var lost atomic.Int64

const memberIDRequired = 79

// A coordinator that has just come up: loading, not available, not yet this one.
var coordinatorMoves = []int16{14, 15, 16}

func main() {
	log.SetFlags(0)
	groups, err := strconv.Atoi(os.Args[2])
	job.Check(err)
	each, err := strconv.Atoi(os.Args[3])
	job.Check(err)
	began := time.Now()
	var connections []*connection
	var all sync.WaitGroup
	for address, names := range coordinators(os.Args[1], groups) {
		for number := range teams {
			team := make([]*connection, each)
			for at := range team {
				team[at] = &connection{address: address}
				job.Check(team[at].dial())
			}
			connections = append(connections, team...)
			all.Go(func() {
				for at := number; at < len(names); at += teams {
					together(team, func(one *connection) error { return one.join(names[at]) })
					together(team, (*connection).sync)
				}
			})
		}
	}
	all.Wait()
	report(map[string]any{"joined": groups * each, "connections": len(connections), "seconds": time.Since(began).Seconds()})
	for _, one := range connections {
		go one.heartbeat()
	}
	for range time.Tick(time.Second) {
		answers := map[int]int64{}
		for code := range counts {
			if count := counts[code].Swap(0); count > 0 {
				answers[code] = count
			}
		}
		report(map[string]any{"answers": answers, "lost": lost.Swap(0)})
	}
}

func report(line map[string]any) {
	job.Check(json.NewEncoder(os.Stdout).Encode(line))
}

// Names of groups by the address of their coordinator.
func coordinators(bootstrap string, groups int) map[string][]string {
	ask := kmsg.NewPtrFindCoordinatorRequest()
	ask.Version = 4
	for group := range groups {
		ask.CoordinatorKeys = append(ask.CoordinatorKeys, fmt.Sprintf("many-%d", group))
	}
	found := map[string][]string{}
	for attempt := 0; len(found) == 0; attempt++ {
		one := &connection{address: bootstrap}
		job.Check(one.dial())
		told := kmsg.NewPtrFindCoordinatorResponse()
		job.Check(one.ask(ask, told))
		for _, coordinator := range told.Coordinators {
			if coordinator.ErrorCode != 0 {
				if attempt == 50 {
					log.Fatal(coordinator)
				}
				time.Sleep(100 * time.Millisecond)
				found = map[string][]string{}
				break
			}
			address := net.JoinHostPort(coordinator.Host, strconv.Itoa(int(coordinator.Port)))
			found[address] = append(found[address], coordinator.Key)
		}
		one.Close()
	}
	return found
}

func together(connections []*connection, what func(*connection) error) {
	var all sync.WaitGroup
	for _, one := range connections {
		all.Go(func() { job.Check(what(one)) })
	}
	all.Wait()
}

func (c *connection) dial() (err error) {
	c.Conn, err = net.Dial("tcp", c.address)
	if err == nil {
		c.in = bufio.NewReader(c.Conn)
	}
	return err
}

// A member asks for an id, and then joins with it.
func (c *connection) join(group string) error {
	m := &member{group: group}
	for wanted := []int16{memberIDRequired, 0}; len(wanted) > 0; {
		ask := kmsg.NewPtrJoinGroupRequest()
		ask.Version, ask.Group, ask.MemberID, ask.ProtocolType = 5, m.group, m.id, "consumer"
		ask.SessionTimeoutMillis, ask.RebalanceTimeoutMillis = sessionMillis, sessionMillis
		ask.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}}
		told := kmsg.NewPtrJoinGroupResponse()
		if err := c.ask(ask, told); err != nil {
			return err
		}
		if slices.Contains(coordinatorMoves, told.ErrorCode) {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if told.ErrorCode != wanted[0] {
			return fmt.Errorf("JoinGroup of %s: error %d", m.group, told.ErrorCode)
		}
		wanted = wanted[1:]
		m.id, m.generation = told.MemberID, told.Generation
	}
	c.members = append(c.members, m)
	return nil
}

// Everybody gets nothing: all send an empty plan, and the leader's counts.
func (c *connection) sync() error {
	m := c.members[len(c.members)-1]
	ask := kmsg.NewPtrSyncGroupRequest()
	ask.Version, ask.Group, ask.MemberID, ask.Generation = 3, m.group, m.id, m.generation
	told := kmsg.NewPtrSyncGroupResponse()
	err := c.ask(ask, told)
	if err == nil && told.ErrorCode != 0 {
		err = fmt.Errorf("SyncGroup of %s: error %d", m.group, told.ErrorCode)
	}
	return err
}

// Evenly spread over the interval, for ever.
func (c *connection) heartbeat() {
	if len(c.members) == 0 {
		return
	}
	pause := heartbeatEvery / time.Duration(len(c.members))
	for due := time.Now(); ; {
		for _, m := range c.members {
			due = due.Add(pause)
			time.Sleep(time.Until(due))
			ask := kmsg.NewPtrHeartbeatRequest()
			ask.Version, ask.Group, ask.MemberID, ask.Generation = 3, m.group, m.id, m.generation
			told := kmsg.NewPtrHeartbeatResponse()
			if err := c.ask(ask, told); err != nil {
				lost.Add(1)
				c.Close()
				for c.dial() != nil {
					time.Sleep(100 * time.Millisecond)
				}
				continue
			}
			counts[told.ErrorCode].Add(1)
		}
		// What could not be sent meanwhile is not made up for.
		if now := time.Now(); due.Before(now) {
			due = now
		}
	}
}

func (c *connection) ask(ask kmsg.Request, into kmsg.Response) error {
	if _, err := c.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("many")).AppendRequest(nil, ask, 0)); err != nil {
		return err
	}
	var size [4]byte
	if _, err := io.ReadFull(c.in, size[:]); err != nil {
		return err
	}
	answer := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c.in, answer); err != nil {
		return err
	}
	answer = answer[4:]
	if ask.IsFlexible() {
		if !strings.HasPrefix(string(answer), "\x00") {
			return fmt.Errorf("tags in the header of an answer")
		}
		answer = answer[1:]
	}
	into.SetVersion(ask.GetVersion())
	return into.ReadFrom(answer)
}
