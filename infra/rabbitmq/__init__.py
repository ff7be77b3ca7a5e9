"""The command bus of the cluster profile: the outbox is published to RabbitMQ, whose queues the services consume."""
