"""Rights: what a migration gives away."""

from collections.abc import Iterator

from pgkeel.core.rules import Severity
from pgkeel.migrations.lint.check import Hit, Scene, rule
from pgkeel.migrations.lint.step import Step
from pgkeel.migrations.lint.tree import names_of, option, strings, unwrap

__all__: list[str] = []

_SECTION = "Security"
_GUARDS = {
    *("zero_damaged_pages", "fsync", "full_page_writes", "ignore_checksum_failure", "ignore_system_indexes"),
    "allow_system_table_mods",
}
_ABOVE = {"postgres", "pg_execute_server_program", "pg_write_server_files", "pg_read_server_files"}


@rule(
    "SEC101",
    Severity.ERROR,
    "CreateFunctionStmt",
    "AlterFunctionStmt",
    section=_SECTION,
    problem="A SECURITY DEFINER function without a search_path of its own runs what the caller puts in front of it, as its "
    "owner.",
    fix="Add SET search_path = '' (or pg_catalog, your_schema, pg_temp) to the function and name schemas inside.",
)
def definer_without_search_path(step: Step, _: Scene) -> Iterator[Hit]:
    """Find functions that lend their owner's rights to any search path."""
    options = step.node.get("options") or step.node.get("actions") or []
    security = option(options, "security")
    if security is None or not security.get("arg", {}).get("Boolean", {}).get("boolval"):
        return
    settings = [body["arg"]["VariableSetStmt"] for _, body in map(unwrap, options) if body.get("defname") == "set"]
    if not any(setting.get("name") == "search_path" for setting in settings):
        name = step.node.get("funcname") or step.node.get("func", {}).get("objname", [])
        yield Hit(".".join(strings(name)), "the caller's search_path decides what it runs", "SET search_path = ''")


@rule(
    "SEC102",
    Severity.WARNING,
    "GrantStmt",
    "AlterDefaultPrivilegesStmt",
    section=_SECTION,
    problem="PUBLIC is every role, those of tomorrow included.",
    fix="Grant to the role that needs it.",
)
def grant_to_public(step: Step, _: Scene) -> Iterator[Hit]:
    """Find rights that everybody gets."""
    grant = step.node if step.kind == "GrantStmt" else step.node["action"]
    grantees = (body.get("roletype") for _, body in map(unwrap, grant.get("grantees", ())))
    if grant.get("is_grant") and "ROLESPEC_PUBLIC" in grantees:
        rights = ", ".join(body.get("priv_name", "") for _, body in map(unwrap, grant.get("privileges", ()))) or "all"
        objects = ", ".join(names_of(grant.get("objects", ()))) or "everything made later"
        yield Hit(objects, f"every role gets {rights}")


@rule(
    "SEC103",
    Severity.ERROR,
    "CopyStmt",
    section=_SECTION,
    problem="COPY with a program or a file runs as the server's account, outside of the database.",
    fix="Load with `COPY … FROM STDIN` from a client, or INSERT.",
)
def copy_on_server(step: Step, _: Scene) -> Iterator[Hit]:
    """Find COPY that reaches out of the database."""
    if step.node.get("is_program") or step.node.get("filename"):
        what = "program" if step.node.get("is_program") else "file"
        yield Hit(step.table or "query", f"the server's {what} {step.node.get('filename', '')} is used")


@rule(
    "SEC104",
    Severity.WARNING,
    "CreateRoleStmt",
    "AlterRoleStmt",
    "GrantRoleStmt",
    section=_SECTION,
    problem="A superuser, a role that reaches the server's files, or one that passes by row security, is bound by no rule of the "
    "database.",
    fix="Give the role the rights it needs.",
)
def mighty_role(step: Step, _: Scene) -> Iterator[Hit]:
    """Find roles that stand above the rules."""
    if step.kind == "GrantRoleStmt" and step.node.get("is_grant"):
        granted = {body.get("priv_name", "") for _, body in map(unwrap, step.node.get("granted_roles", ()))}
        yield from (Hit(name, "it is above the rules of the database") for name in sorted(granted & _ABOVE))
        return
    for name in ("superuser", "bypassrls", "isreplication", "createrole"):
        found = option(step.node.get("options", ()), name)
        if found is not None and found.get("arg", {}).get("Boolean", {}).get("boolval"):
            yield Hit(_role(step), f"it gets {name.upper().removeprefix('IS')}")


def _role(step: Step) -> str:
    role = step.node.get("role", "")
    return str(role.get("rolename", "")) if isinstance(role, dict) else str(role)


@rule(
    "SEC105",
    Severity.ERROR,
    "CreateRoleStmt",
    "AlterRoleStmt",
    "CreateUserMappingStmt",
    "AlterUserMappingStmt",
    "CreateSubscriptionStmt",
    "AlterSubscriptionStmt",
    section=_SECTION,
    problem="A password in a migration is in the repository, in the ledger and in the server's log.",
    fix="Make the role without a password; set it from a secret store.",
)
def password_in_migration(step: Step, _: Scene) -> Iterator[Hit]:
    """Find passwords in SQL."""
    if "password" in step.node.get("conninfo", ""):
        yield Hit(step.node["subname"], "the publisher's password can be read by everybody who reads the file")
    found = option(step.node.get("options", ()), "password")
    if found is not None and found.get("arg", {}).get("String", {}).get("sval"):
        yield Hit(_role(step) or step.node.get("servername", ""), "its password can be read by everybody who reads the file")


@rule(
    "SEC106",
    Severity.WARNING,
    "AT_DisableRowSecurity",
    "AT_NoForceRowSecurity",
    section=_SECTION,
    problem="Without row security every role with SELECT sees the rows of every tenant.",
    fix="Change the policy instead.",
)
def row_security_off(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find row security that is switched off."""
    if not scene.is_new(step.table):
        yield Hit(step.table, "its policies hold no longer")


@rule(
    "SEC107",
    Severity.WARNING,
    "AlterSystemStmt",
    section=_SECTION,
    problem="ALTER SYSTEM changes every database of the server, and not those that the migration runs on later.",
    fix="Set it where the server is configured; or ALTER DATABASE … SET, ALTER ROLE … SET for one of them.",
)
def system_setting(step: Step, _: Scene) -> Iterator[Hit]:
    """Find settings of the whole server."""
    yield Hit(step.node["setstmt"].get("name", "all settings"), "every database of the server changes")


@rule(
    "SEC108",
    Severity.WARNING,
    "VariableSetStmt",
    "AlterDatabaseSetStmt",
    "AlterRoleSetStmt",
    section=_SECTION,
    problem="These settings switch off triggers, foreign keys, row security or the catalog's own guard for all that follows.",
    fix="Leave them alone; let the data pass the checks.",
)
def checks_off(step: Step, _: Scene) -> Iterator[Hit]:
    """Find sessions that take off their seat belt."""
    setting = step.node.get("setstmt", step.node)
    name, value = setting.get("name", "").lower(), str(setting.get("args", "")).lower()
    if (name == "session_replication_role" and "origin" not in value and value) or (name in _GUARDS and value):
        yield Hit(name, "what keeps the rows whole is off")


@rule(
    "SEC110",
    Severity.WARNING,
    "GrantStmt",
    "GrantRoleStmt",
    section=_SECTION,
    problem="Who may pass a right on decides who has it, not the migrations.",
    fix="Grant without GRANT OPTION and ADMIN OPTION, to each role that needs it.",
)
def right_passed_on(step: Step, _: Scene) -> Iterator[Hit]:
    """Find rights that their holder may give to others."""
    admin = option(step.node.get("opt", ()), "admin")
    is_admin = admin is not None and bool(admin.get("arg", {}).get("Boolean", {}).get("boolval"))
    if step.node.get("is_grant") and (step.node.get("grant_option") or is_admin):
        yield Hit(_granted(step), "its holder may give it to anybody")


@rule(
    "MIG071",
    Severity.WARNING,
    "GrantStmt",
    "GrantRoleStmt",
    section=_SECTION,
    problem="Programs that run as the role fail from that moment.",
    fix="Deploy code that does without first; then take the right away, with an ignore that says so.",
)
def right_taken(step: Step, scene: Scene) -> Iterator[Hit]:
    """Find rights that a named role loses on something that is in use."""
    roles = [body for _, body in map(unwrap, step.node.get("grantees") or step.node.get("grantee_roles") or ())]
    objects = list(names_of(step.node.get("objects", ())))
    is_new = bool(objects) and all(scene.is_new(name) for name in objects)
    if not step.node.get("is_grant") and not is_new and any(body.get("roletype") == "ROLESPEC_CSTRING" for body in roles):
        yield Hit(_granted(step), f"{', '.join(body.get('rolename', '') for body in roles)} loses it")


def _granted(step: Step) -> str:
    names = list(names_of(step.node.get("objects", ())))
    return ", ".join(names) or ", ".join(body.get("priv_name", "") for _, body in map(unwrap, step.node.get("granted_roles", ())))
