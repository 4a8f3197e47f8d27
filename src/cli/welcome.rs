//! What `corelane dev` tells a newcomer: lines to copy and paste.

use std::path::Path;

/// For standard error, once the ports are known.
pub(super) fn text(listeners: &[String], data_dir: &Path, removed_at_exit: bool) -> String {
    let address = listeners.first().map_or("127.0.0.1:9092", String::as_str).replacen("0.0.0.0", "127.0.0.1", 1);
    let fate = if removed_at_exit { " (removed at exit)" } else { "" };
    let data_dir = data_dir.display();
    format!(
        "
  data  {data_dir}{fate}
  stop  Ctrl-C

  corelane
    echo hello | corelane produce demo -b {address}
    corelane consume demo -b {address}

  kcat
    echo hello | kcat -b {address} -P -t demo
    kcat -b {address} -C -t demo -o beginning -e

  Kafka's console tools
    kafka-console-producer.sh --bootstrap-server {address} --topic demo
    kafka-console-consumer.sh --bootstrap-server {address} --topic demo --partition 0 --offset earliest
"
    )
}
