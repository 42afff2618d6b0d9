"""Turn a clear column into an encrypted one, and back, by migrations that run beside the application."""

from pgkeel.security.encryption.backfill import CODE, change_of, is_ours
from pgkeel.security.encryption.files import MigrationText, plan_decryption, plan_encryption

__all__ = ["CODE", "MigrationText", "change_of", "is_ours", "plan_decryption", "plan_encryption"]
