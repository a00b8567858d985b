"""The sandbox a reproduction runs in: a small, single-threaded program of its own.

It is started as ``python -I -S`` with nothing but the standard library, since a process that
unshares its user namespace may have one thread only, and since it must start at once. ``kernel``
holds the system calls, ``mounts`` what the job sees of the file system, ``main`` the processes,
``landlock`` the weaker confinement for hosts without namespaces.
"""
