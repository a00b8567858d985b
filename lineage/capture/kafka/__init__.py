"""Topics of Kafka as a source: what a message is, what is in hand, and a consumer of a group."""
