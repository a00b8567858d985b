"""`python -m lineage.query.graphql` prints the schema (schema/graphql/schema.graphql)."""

import sys

from lineage.query.graphql.schema import printed

sys.stdout.write(printed())
