"""Delta tables as a source: every commit of a table's log becomes one change.

``names`` reads file names of a log, ``storage`` its bytes, ``actions`` one commit; ``log`` says
what a commit means as a change; ``checkpoint`` and ``snapshot`` replay a log up to a version;
``tail`` follows it (``folder`` lists it, ``live`` and ``mending`` remember what is needed of it),
``position`` says how far, ``follow`` delivers it, ``commits`` reads single commits.
"""
