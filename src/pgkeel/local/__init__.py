"""Real PostgreSQL and Valkey from wheels: who runs them, which programs, and servers that start, crash and recover."""

from pgkeel.local.account import Account, choose_account
from pgkeel.local.cluster import SUPERUSER, Cluster
from pgkeel.local.download import DownloadFailed, add_runtime
from pgkeel.local.folders import FolderNotWritable, UnsafeFolder, private_folder, reachable, runtime_folder
from pgkeel.local.initdb import OtherMajor
from pgkeel.local.launch import AccountUnavailable, Failed
from pgkeel.local.plan import TlsFiles
from pgkeel.local.ports import PortBusy
from pgkeel.local.postmaster import ServerFailed
from pgkeel.local.runtime import Runtime, RuntimeUnusable, find_runtime, installed_runtimes
from pgkeel.local.scratch import scratch_folder
from pgkeel.local.valkey import Valkey
from pgkeel.local.valkey_plan import VALKEY_USER

__all__ = [
    "SUPERUSER",
    "VALKEY_USER",
    "Account",
    "AccountUnavailable",
    "Cluster",
    "DownloadFailed",
    "Failed",
    "FolderNotWritable",
    "OtherMajor",
    "PortBusy",
    "Runtime",
    "RuntimeUnusable",
    "ServerFailed",
    "TlsFiles",
    "UnsafeFolder",
    "Valkey",
    "add_runtime",
    "choose_account",
    "find_runtime",
    "installed_runtimes",
    "private_folder",
    "reachable",
    "runtime_folder",
    "scratch_folder",
]
