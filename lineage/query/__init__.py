"""Questions and answers: names, the two times, GraphQL over the store."""
