"""What the cluster has against what deployments ask for, as far as it can be known beforehand."""

from accounts.errors import Conflict, Invalid, Unavailable
from serving import cluster
from serving.models import Deployment, Revision


def require_room(wanted: Revision, *, replicas: int, leaving_out: Deployment | None = None) -> None:
    """Raise when this many replicas of `wanted` (maybe unsaved) cannot fit, saying what the cluster has.

    While Ray isn't answering, only what asks for a GPU is refused: the rest waits in the queue until it does.
    """
    try:
        has = cluster.resources(timeout_s=3)
    except cluster.RayError as error:
        if wanted.num_gpus:
            raise Unavailable(f"Whether there is a GPU can't be said now. {error} Try again in a moment.") from error
        return
    biggest = max((node.gpus for node in has.nodes), default=0)
    if wanted.num_gpus > biggest:
        remedy = "Leave it at 0 to run on CPU." if not has.gpus else f"At most {biggest:g} fit on one node."
        raise Invalid("num_gpus", f"The cluster has {has.described()}. {remedy}", code="no_gpu")
    others = Deployment.objects.filter(desired=Deployment.Desired.RUNNING).select_related("team", "revision")
    if leaving_out is not None:
        others = others.exclude(pk=leaving_out.pk)
    taken_cpus = taken_gpus = 0.0
    names = []
    for other in others:
        if other.revision:
            taken_cpus += other.replicas * other.revision.cpus
            taken_gpus += other.replicas * other.revision.num_gpus
            names.append(str(other))
    for asked, taken, total, unit in (
        (replicas * wanted.cpus, taken_cpus, has.cpus, "CPUs"),
        (replicas * wanted.num_gpus, taken_gpus, has.gpus, "GPUs"),
    ):
        if asked and asked + taken > total:
            text = (
                f"{replicas} replica{'s' * (replicas != 1)} of this model take {asked:g} {unit}. The cluster has "
                f"{has.described()}, and other deployments take {taken:g} {unit}."
            )
            stop = f" or stop one of {', '.join(sorted(names)[:5])}" if names else ""
            raise Conflict(text, errors={"replicas": [f"{text} Ask for fewer{stop}."]}, code="no_room")
