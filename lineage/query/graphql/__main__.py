"""`python -m lineage.query.graphql` prints the schema, as schema/graphql/schema.graphql keeps it."""

import sys

from lineage.query.graphql.schema import printed

sys.stdout.write(printed())
