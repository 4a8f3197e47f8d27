import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/** A group member (see member.py) of Kafka's own client. */
public class Member implements ConsumerRebalanceListener {
    private static final Map<String, String> ASSIGNORS = Map.of(
        "range", "org.apache.kafka.clients.consumer.RangeAssignor",
        "sticky", "org.apache.kafka.clients.consumer.StickyAssignor",
        "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
    private static final Duration POLL = Duration.ofMillis(100);
    /** Rare enough that a killed member leaves records behind that it had got and not committed. */
    private static final long COMMIT_NANOS = 300_000_000;

    private final PrintStream out = System.out;
    private final String topic;
    private final KafkaConsumer<String, String> consumer;
    private volatile boolean toldToEnd;
    private final Map<Integer, Long> pending = new TreeMap<>();
    private long committedAt = System.nanoTime();
    private int commits;

    public static void main(String[] arguments) {
        Map<String, String> settings = new HashMap<>();
        for (int at = 3; at < arguments.length; at++) {
            String[] pair = arguments[at].split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        new Member(arguments[0], arguments[1], arguments[2], settings).run();
        Runtime.getRuntime().halt(0);
    }

    private Member(String bootstrap, String topic, String group, Map<String, String> settings) {
        this.topic = topic;
        int session = Integer.parseInt(settings.get("session"));
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.id", group);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        properties.put("partition.assignment.strategy", ASSIGNORS.get(settings.getOrDefault("assignor", "range")));
        properties.put("session.timeout.ms", session);
        properties.put("heartbeat.interval.ms", session / 6);
        properties.put("fetch.max.wait.ms", 100);
        if (settings.containsKey("instance")) {
            properties.put("group.instance.id", settings.get("instance"));
        }
        consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
    }

    private void run() {
        Thread.UncaughtExceptionHandler fatal = (thread, error) -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
        };
        Thread.currentThread().setUncaughtExceptionHandler(fatal);
        Thread loop = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            toldToEnd = true;
            try {
                loop.join();
            } catch (InterruptedException ignored) {
                Runtime.getRuntime().halt(1);
            }
        }));
        say("subscribing", "\"topic\":\"" + topic + "\"");
        consumer.subscribe(List.of(topic), this);
        while (!toldToEnd) {
            ConsumerRecords<String, String> records = consumer.poll(POLL);
            if (!records.isEmpty()) {
                tell(records);
            }
            if (!pending.isEmpty() && (toldToEnd || System.nanoTime() - committedAt >= COMMIT_NANOS)) {
                commit(new TreeMap<>(pending));
            }
        }
        consumer.close();
    }

    private void tell(ConsumerRecords<String, String> records) {
        List<String> told = new ArrayList<>();
        for (ConsumerRecord<String, String> record : records) {
            told.add("[" + record.partition() + "," + record.offset() + "," + record.key() + "]");
            pending.put(record.partition(), record.offset() + 1);
        }
        say("records", "\"records\":[" + String.join(",", told) + "]");
    }

    private void commit(Map<Integer, Long> offsets) {
        commits++;
        committedAt = System.nanoTime();
        pending.clear();
        String told = offsets.entrySet().stream().map(one -> "\"" + one.getKey() + "\":" + one.getValue()).collect(Collectors.joining(","));
        say("committing", "\"commit\":" + commits + ",\"offsets\":{" + told + "}");
        Map<TopicPartition, OffsetAndMetadata> wanted = new HashMap<>();
        offsets.forEach((partition, offset) -> wanted.put(new TopicPartition(topic, partition), new OffsetAndMetadata(offset)));
        try {
            consumer.commitSync(wanted);
            say("committed", "\"commit\":" + commits);
        } catch (KafkaException error) {
            String why = (error.getClass().getSimpleName() + ": " + error.getMessage()).replaceAll("[\"\\\\\n]", " ");
            say("refused", "\"commit\":" + commits + ",\"error\":\"" + why + "\"");
        }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        say("assigned", numbers(partitions));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        partitions.forEach(one -> pending.remove(one.partition()));
        say("revoked", numbers(partitions));
    }

    private static String numbers(Collection<TopicPartition> partitions) {
        return partitions.stream().map(one -> String.valueOf(one.partition())).collect(Collectors.joining(",", "\"partitions\":[", "]"));
    }

    /** One write, and never held back: what a killed member had printed is there. */
    private void say(String event, String more) {
        out.print("{\"event\":\"" + event + "\",\"at\":" + System.nanoTime() + "," + more + "}\n");
        out.flush();
    }
}
