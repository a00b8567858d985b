"""Time travel: pin table versions, check whether a run can be reproduced, run it again, compare.

Read in this order: ``facts`` (what the record says of a run), ``observe`` (what stands now),
``preflight`` (the decision), ``code`` and ``environment`` (bringing them back), ``plan`` (what the
job will see), ``isolation`` and ``sandbox`` (where it runs), ``rerun``, ``verdict``.
"""
