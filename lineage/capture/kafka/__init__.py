"""Topics of Kafka as a source: every event in a message is recorded, and then the group is told.

``address`` says where topics are and ``client`` how they are reached; ``messages`` what a message
is; ``beginning`` where a partition is read from and what that loses; ``hand`` what is to be
recorded and committed; ``follow`` reads, records and commits. Only ``group`` talks to the client,
whose errors ``problems`` tells apart.
"""
