"""Facts on Kafka: published from the log by the relay, read by the subscriptions of the cluster profile."""
