"""The GraphQL schema: types over batches of the store, limits, errors."""
