"""Roll the restored image forward to the newest WAL slice, where native incremental backups are missing or unsound."""

import shutil
from datetime import timedelta
from functools import partial
from pathlib import Path

from pgkeel.agent.reach import Cancelled
from pgkeel.backup import Record
from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.recovery.chain import Link, combine, give_away, prepare, require_room
from pgkeel.backup.recovery.checks import check_offline
from pgkeel.backup.recovery.errors import NotRestorable, VerificationFailed
from pgkeel.backup.recovery.gather import gather
from pgkeel.backup.recovery.image import Image, forget_image, held, read_image, write_image
from pgkeel.backup.recovery.pace import Pace
from pgkeel.backup.recovery.side import apply_wal, hide_settings, limits_of, wal_from
from pgkeel.backup.recovery.tablespaces import PLACE, set_apart
from pgkeel.backup.recovery.wal import Wal, require_whole
from pgkeel.backup.tools import tool
from pgkeel.core import clock
from pgkeel.core.errors import KeelError
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.local import Cluster
from pgkeel.local.folders import make_folder
from pgkeel.stack.folders import own_folder
from pgkeel.stack.recovery_guard import require_no_recovery
from pgkeel.stack.restoring import Scene, fetch_link, image_folder, kept_from_pruning, scene_of, side_cluster

__all__ = ["remove_image", "roll", "wants_image"]

_PATIENCE = timedelta(hours=6)
_REDO = "Latest checkpoint's REDO location:"


def wants_image(project: Project) -> bool:
    """Return whether an image is kept beside WAL slices: it takes as much room as the data directory."""
    wanted = project.config.backup.image
    return not project.is_external if wanted is None else wanted


def roll(project: Project, report: Report) -> Image | None:
    """Bring the image to the newest WAL slice and return how far it is; None where there is no slice.

    It is made anew from the full backup where there is none, or where it cannot go on.

    Raises:
        LockNotObtained: Somebody rolls or copies it now.
        VerificationFailed: A page of it has another checksum, although it was made anew.
    """
    scene = scene_of(project)
    require_no_recovery(scene.layout)
    newest = scene.records[-1] if scene.records[-1].kind == "wal" else None
    if newest is None:
        return None
    own_folder(scene.server)
    directory = make_folder(image_folder(scene))
    with held(directory):
        image = read_image(directory)
        if image is not None and image.is_ready and image.point == newest.id:
            return image
        try:
            return _forward(scene, _usable(scene, image, newest), newest, report)
        except Cancelled:
            raise
        except KeelError as err:
            report(f"making the image anew: {err.message}")
            return _forward(scene, _built(scene, newest, report), newest, report)


def remove_image(project: Project) -> bool:
    """Delete the image where none is wanted any more, and return whether there was one."""
    scene = scene_of(project)
    directory = image_folder(scene)
    if not directory.is_dir():
        return False
    with held(directory):
        _empty(scene, directory)
    shutil.rmtree(directory)
    return True


def _usable(scene: Scene, image: Image | None, newest: Record) -> Image:
    """Return the image where it can be rolled to the slice.

    Raises:
        NotRestorable: It cannot.
    """
    if image is None:
        raise NotRestorable("there is none yet")
    if (image.system, image.timeline) != (scene.system, newest.timeline):
        raise NotRestorable(f"it is of timeline {image.timeline} of cluster {image.system}")
    return image


def _built(scene: Scene, newest: Record, report: Report) -> Image:
    """Restore the full backup of a slice into the image's folder."""
    directory = image_folder(scene)
    full = next(one for one in scene.records if one.id == newest.parent)
    _empty(scene, directory)
    require_room(directory, full.size)
    data = directory / "data"
    link = Link(full.id, partial(fetch_link, scene, full, report))
    with kept_from_pruning(scene, [full.id]):
        combine([link], directory / "links", data, scene.tools, report)
    prepare(data, scene.runtime.major)
    hide_settings(data)
    for part in (data, *([directory / PLACE] if set_apart(data) else [])):
        give_away(part, scene.account.uid, scene.account.gid)
    image = Image(scene.system, full.timeline, "", full.end_lsn, full.start_lsn, clock.now(), is_ready=False)
    write_image(directory, image)
    return image


def _forward(scene: Scene, image: Image, newest: Record, report: Report) -> Image:
    """Replay the WAL from the image to the slice's restore point, shut down cleanly there, and read every page."""
    directory = image_folder(scene)
    moving = Image(image.system, image.timeline, image.point, image.lsn, image.start, image.rolled_at, is_ready=False)
    write_image(directory, moving)
    _stop_left(scene, directory)
    point = _place_of(scene, newest)
    server = _rolled(scene, moving, newest, point, report)
    check = check_offline(server, scene.tools, report)
    if check.ok is False:
        forget_image(directory)
        raise VerificationFailed(f"the image: {check.detail}", hint="`pgkeel backup drill` proves the backups themselves")
    shutil.rmtree(directory / "wal")
    rolled = Image(image.system, image.timeline, newest.id, point, _redo_of(scene, server.data), clock.now(), is_ready=True)
    write_image(directory, rolled)
    return rolled


def _rolled(scene: Scene, image: Image, newest: Record, point: str, report: Report) -> Cluster:
    directory = image_folder(scene)
    place, start, end = directory / "wal", parse_lsn(image.start), parse_lsn(point)
    shutil.rmtree(place, ignore_errors=True)
    gather(scene.archive, image.timeline, start, end, place)
    require_whole(Wal(place, image.timeline, start), end, scene.tools, size=scene.archive.size)
    give_away(place, scene.account.uid, scene.account.gid)
    target = {
        "recovery_target_timeline": str(image.timeline),
        "recovery_target_name": newest.id,
        "recovery_target_action": "pause",
        "restore_command": wal_from(place),
    }
    server = side_cluster(scene, directory, {**limits_of(directory / "data", scene.tools), **target})
    pace = Pace("replayed", report)
    apply_wal(server, target, lambda at: pace(max(0, at - start), max(0, end - start)), patience=_PATIENCE)
    server.stop()
    return server


def _place_of(scene: Scene, newest: Record) -> str:
    """Return where the record of a slice's restore point begins."""
    points = (point for row in scene.archive.segments for point in row.restore_points if point.name == newest.restore_point)
    found = next(points, None)
    if found is None:
        raise NotRestorable(f"the restore point {newest.restore_point} is not in the archive", hint="wait for the archiver")
    return found.lsn


def _redo_of(scene: Scene, data: Path) -> str:
    lines = tool(scene.tools, "pg_controldata", data).splitlines()
    return next(line.removeprefix(_REDO).strip() for line in lines if line.startswith(_REDO))


def _stop_left(scene: Scene, directory: Path) -> None:
    """End the server of a roll that was killed; what it replayed stays."""
    if Cluster.exists(directory):
        side_cluster(scene, directory, {}).kill()


def _empty(scene: Scene, directory: Path) -> None:
    forget_image(directory)
    _stop_left(scene, directory)
    for left in directory.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        elif left.name != "owner":
            left.unlink()
