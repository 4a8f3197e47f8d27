// The job of job.py for kafkajs, but that it consumes in a group, as its consumer always does. Codecs beside gzip come from packages of
// others, as its documentation says.
const fs = require('fs')
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require('kafkajs')
const lz4 = require('lz4-napi')
const { ZstdCodec } = require('zstd-codec')

const LINES_A_REQUEST = 1000

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer),
})
const zstd = new Promise(resolve => ZstdCodec.run(resolve))
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(new (await zstd).Simple().compress(encoder.buffer, 3)),
  decompress: async buffer => Buffer.from(new (await zstd).Simple().decompress(buffer)),
})
const CODECS = { none: 'None', gzip: 'GZIP', snappy: 'Snappy', lz4: 'LZ4', zstd: 'ZSTD' }

function connect(bootstrap) {
  return new Kafka({
    brokers: [bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 100 },
  })
}

const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

async function produce(job, [topic, codec, mode]) {
  const kafka = connect(job.bootstrap)
  const producer = kafka.producer({ idempotent: mode === 'idempotent', maxInFlightRequests: 1 })
  await producer.connect()
  const began = Date.now()
  let next = 0
  while (next < job.lines.length) {
    const due = job.seconds === 0 ? job.lines.length : (job.lines.length * (Date.now() - began)) / job.seconds / 1000
    const count = Math.min(Math.floor(due) - next, LINES_A_REQUEST, job.lines.length - next)
    if (count <= 0) {
      await sleep(10)
      continue
    }
    const messages = job.lines.slice(next, next + count).map((value, at) => {
      return { key: String(next + at), value, partition: (next + at) % job.partitions }
    })
    next += count
    const told = await producer.send({ topic, acks: -1, compression: CompressionTypes[CODECS[codec]], messages })
    const offsets = new Map(told.map(one => [one.partition, Number(one.baseOffset)]))
    for (const { key, value, partition } of messages) {
      const offset = offsets.get(partition)
      offsets.set(partition, offset + 1)
      write(job.acked, topic, partition, offset, key, value)
      job.ends.set(`${topic} ${partition}`, offset + 1)
    }
  }
  await producer.disconnect()
}

function write(file, topic, partition, offset, key, value) {
  fs.writeSync(file, Buffer.concat([Buffer.from(`${topic}\t${partition}\t${offset}\t${key}\t`), value, Buffer.from('\n')]))
}

// Nothing is committed, so that all that is consumed comes again after a rebalance; that is not written down twice.
async function consume(job) {
  const consumer = connect(job.bootstrap).consumer({ groupId: 'job', maxWaitTimeInMs: 100 })
  const at = new Map()
  await consumer.connect()
  await consumer.subscribe({ topics: job.topics.map(([topic]) => topic), fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch: { topic, partition, messages } }) => {
      const place = `${topic} ${partition}`
      for (const { offset, key, value } of messages) {
        if (Number(offset) < (at.get(place) || 0)) continue
        write(job.consumed, topic, partition, offset, key, value)
        at.set(place, Number(offset) + 1)
      }
    },
  })
  const done = () => job.acknowledged && [...job.ends].every(([place, end]) => at.get(place) === end)
  const until = () => job.acknowledged && Date.now() > job.acknowledged + 60_000 + job.lines.length / 2
  while (!done()) {
    if (until()) throw new Error('not all that was acknowledged is consumed')
    await sleep(10)
  }
  await consumer.disconnect()
}

function linesOf(path) {
  const text = fs.readFileSync(path)
  const lines = []
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from)
    lines.push(text.subarray(from, end))
    from = end + 1
  }
  return lines
}

async function admin(bootstrap) {
  const client = connect(bootstrap).admin()
  await client.connect()
  const kept = { topic: 'kept', numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '3600000' }] }
  if (await client.createTopics({ topics: [kept, { topic: 'gone', numPartitions: 1 }] })) console.log('created')
  // It says false where others raise an error.
  if (!(await client.createTopics({ topics: [kept] }))) console.log('refused')
  await client.createPartitions({ topicPartitions: [{ topic: 'kept', count: 5 }] })
  console.log('grown')
  await client.deleteTopics({ topics: ['gone'] })
  console.log('deleted')
  const names = await client.listTopics()
  const { resources } = await client.describeConfigs({ resources: [{ type: 2, name: 'kept', configNames: ['retention.ms'] }] })
  if (String(names) !== 'kept' || resources[0].configEntries[0].configValue !== '3600000') throw new Error(`${names}`)
  await client.disconnect()
}

async function main() {
  const [bootstrap, partitions, path, seconds, out, ...topics] = process.argv.slice(2)
  if (bootstrap === 'admin') return admin(partitions)
  const job = {
    bootstrap,
    partitions: Number(partitions),
    lines: linesOf(path),
    seconds: Number(seconds),
    topics: topics.map(topic => topic.split('/')),
    acked: fs.openSync(`${out}/acked`, 'w'),
    consumed: fs.openSync(`${out}/consumed`, 'w'),
    // Offset up to which each partition must be consumed, once all is acknowledged, which is at this time.
    ends: new Map(),
    acknowledged: null,
  }
  const consumed = consume(job)
  await Promise.all(job.topics.map(topic => produce(job, topic)))
  job.acknowledged = Date.now()
  await consumed
  fs.closeSync(job.acked)
  fs.closeSync(job.consumed)
  process.exit(0)
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
