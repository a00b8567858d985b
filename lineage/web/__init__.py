"""The service over HTTP: taking in, GraphQL, health, metrics."""
