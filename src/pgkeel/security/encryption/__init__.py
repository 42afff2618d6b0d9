"""Turn a clear column into an encrypted one, and back, by migrations that run beside the application."""

from pgkeel.security.encryption.backfill import CODE, change_of, is_ours, is_waited_for
from pgkeel.security.encryption.files import MigrationText, plan_decryption, plan_encryption

__all__ = ["CODE", "MigrationText", "change_of", "is_ours", "is_waited_for", "plan_decryption", "plan_encryption"]
