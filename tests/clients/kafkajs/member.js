// A group member (see member.py) of kafkajs.
const fs = require('fs')
const { Kafka, logLevel } = require('kafkajs')

const [bootstrap, topic, groupId, ...words] = process.argv.slice(2)
const settings = Object.fromEntries(words.map(word => word.split('=')))
const session = Number(settings.session)
// Rare enough that a killed member leaves records behind that it had got and not committed.
const COMMIT_MS = 300
let commits = 0
let pending = {}
// A commit at a time. Where its consumer is not running, commitOffsets returns as if all were well: an event tells.
let underWay = Promise.resolve()
let acknowledged = false

// One write, and never held back: what a killed member had printed is there.
function say(event, more) {
  fs.writeSync(1, JSON.stringify({ event, at: Number(process.hrtime.bigint()), ...more }) + '\n')
}

async function commit(consumer) {
  const offsets = pending
  pending = {}
  if (Object.keys(offsets).length === 0) return
  const number = ++commits
  acknowledged = false
  say('committing', { commit: number, offsets })
  try {
    await consumer.commitOffsets(
      Object.entries(offsets).map(([partition, offset]) => ({ topic, partition: Number(partition), offset: String(offset) })),
    )
    if (!acknowledged) throw new Error('nothing was sent')
    say('committed', { commit: number })
  } catch (error) {
    say('refused', { commit: number, error: String(error) })
  }
}

async function main() {
  const ended = new Promise(resolve => process.on('SIGTERM', resolve))
  const kafka = new Kafka({
    brokers: [bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 100 },
  })
  const consumer = kafka.consumer({ groupId, sessionTimeout: session, heartbeatInterval: Math.floor(session / 6), maxWaitTimeInMs: 100 })
  const { GROUP_JOIN, REBALANCING, CRASH, COMMIT_OFFSETS } = consumer.events
  consumer.on(COMMIT_OFFSETS, () => (acknowledged = true))
  let mine = []
  consumer.on(GROUP_JOIN, ({ payload }) => {
    mine = payload.memberAssignment[topic] || []
    say('assigned', { partitions: mine })
  })
  consumer.on(REBALANCING, () => {
    say('revoked', { partitions: mine })
    mine = []
    pending = {}
  })
  consumer.on(CRASH, ({ payload }) => {
    say('trouble', { error: String(payload.error) })
    if (!payload.restart) process.exit(1)
  })
  await consumer.connect()
  say('subscribing', {})
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      say('records', { records: batch.messages.map(one => [batch.partition, Number(one.offset), Number(one.key)]) })
      pending[batch.partition] = Number(batch.lastOffset()) + 1
    },
  })
  const next = () => (underWay = underWay.then(() => commit(consumer)))
  const committing = setInterval(next, COMMIT_MS)
  await ended
  clearInterval(committing)
  await next()
  await consumer.disconnect()
}

main().then(
  () => process.exit(0),
  error => {
    console.error(error)
    process.exit(1)
  },
)
