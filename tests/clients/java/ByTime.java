import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Offsets by time in batches that Java's own encoders compressed: usage: produce|check BOOTSTRAP CODEC MEGABYTES.
 * Both verbs make the same timestamps from the same seed, so that "check" may follow a restart.
 */
public class ByTime {
    private static final int RECORD_BYTES = 1000;
    private static final long START = 1_700_000_000_000L;
    private static final int SEARCHES = 300;

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[1];
        String codec = arguments[2];
        long[] timestamps = timestamps(codec, Integer.parseInt(arguments[3]) * 1_000_000 / RECORD_BYTES);
        TopicPartition partition = new TopicPartition("by-time-" + codec, 0);
        switch (arguments[0]) {
            case "produce" -> produce(bootstrap, codec, partition, timestamps);
            case "check" -> check(bootstrap, partition, timestamps);
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    /** Mostly rising by 10 ms, some equal to the one before, some late by up to a second; one is the largest. */
    private static long[] timestamps(String codec, int count) {
        Random random = new Random(codec.hashCode());
        long[] made = new long[count];
        for (int offset = 0; offset < count; offset++) {
            long even = START + 10L * offset;
            int kind = random.nextInt(10);
            made[offset] = kind == 0 ? even - random.nextInt(1000) : kind == 1 && offset > 0 ? made[offset - 1] : even;
        }
        made[count * 2 / 3] = START + 10L * count + 5000;
        return made;
    }

    private static void produce(String bootstrap, String codec, TopicPartition partition, long[] timestamps) throws Exception {
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", bootstrap, "compression.type", codec, "linger.ms", 100, "batch.size", 300_000);
        // The records are years old: without this they would expire under the test.
        NewTopic topic = new NewTopic(partition.topic(), 1, (short) 1).configs(Map.of("retention.ms", "-1"));
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(List.of(topic)).all().get();
        }
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int offset = 0; offset < timestamps.length; offset++) {
                byte[] value = value(offset);
                sent.add(producer.send(new ProducerRecord<>(partition.topic(), partition.partition(), timestamps[offset], null, value)));
            }
            producer.flush();
            for (int offset = 0; offset < timestamps.length; offset++) {
                expect("offset", (long) offset, sent.get(offset).get().offset());
            }
            double rate = metric(producer, "compression-rate-avg");
            double records = metric(producer, "records-per-request-avg");
            if (!codec.equals("none") && !(rate < 0.8)) {
                throw new AssertionError(codec + " did not compress: rate " + rate);
            }
            if (!(records > 20)) {
                throw new AssertionError("only " + records + " records in a request");
            }
            System.out.printf("rate %.2f, %.0f records a request", rate, records);
        }
    }

    private static void check(String bootstrap, TopicPartition partition, long[] timestamps) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap);
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
                Admin admin = Admin.create(settings)) {
            for (long target : targets(timestamps)) {
                int expected = 0;
                while (expected < timestamps.length && timestamps[expected] < target) {
                    expected++;
                }
                OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(partition, target)).get(partition);
                if (expected == timestamps.length) {
                    expect("nothing at " + target, null, found);
                } else {
                    expect("offset at " + target, (long) expected, found.offset());
                    expect("timestamp at " + target, timestamps[expected], found.timestamp());
                }
            }
            var largest = admin.listOffsets(Map.of(partition, OffsetSpec.maxTimestamp())).partitionResult(partition).get();
            expect("offset of the largest timestamp", timestamps.length * 2L / 3, largest.offset());
            expect("largest timestamp", timestamps[timestamps.length * 2 / 3], largest.timestamp());
        }
    }

    private static Set<Long> targets(long[] timestamps) {
        Set<Long> targets = new TreeSet<>(List.of(0L, START - 2000, START, START + 1));
        Random random = new Random(1);
        while (targets.size() < SEARCHES) {
            targets.add(timestamps[random.nextInt(timestamps.length)] + random.nextInt(3) - 1);
        }
        long largest = timestamps[timestamps.length * 2 / 3];
        targets.addAll(List.of(largest - 1, largest, largest + 1, Long.MAX_VALUE));
        return targets;
    }

    /** Half of it words that compress, half of it not. */
    private static byte[] value(int offset) {
        byte[] value = new byte[RECORD_BYTES];
        new Random(offset).nextBytes(value);
        byte[] words = ("record " + offset + " ").repeat(RECORD_BYTES).getBytes(StandardCharsets.UTF_8);
        System.arraycopy(words, 0, value, 0, RECORD_BYTES / 2);
        return value;
    }

    private static double metric(KafkaProducer<?, ?> producer, String name) {
        return producer.metrics().entrySet().stream()
            .filter(entry -> entry.getKey().name().equals(name) && entry.getKey().group().equals("producer-metrics"))
            .map(entry -> (Double) entry.getValue().metricValue())
            .collect(Collectors.toList()).get(0);
    }

    private static void expect(String what, Object expected, Object found) {
        if (expected == null ? found != null : !expected.equals(found)) {
            throw new AssertionError(what + ": expected " + expected + ", found " + found);
        }
    }
}
