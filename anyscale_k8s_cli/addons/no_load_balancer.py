"""Why a Service of type LoadBalancer has no address: one of a closed list of causes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.addresses import service_addresses
from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.cluster.diagnosis import conditions_of, diagnose_workload, warnings_about
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.troubles import Cause, told_by


@dataclass(frozen=True)
class NoAddress:
    """One of the causes, in words, with what was seen of the object that blocks.

    `look` is the command that shows more of it, `mend` what to do then.
    """

    cause: Cause
    text: str
    evidence: tuple[str, ...]
    look: str
    mend: str = "mend what it shows"

    @property
    def fix(self) -> str:
        # What ends in a command takes no more words.
        then = "\n" if "\n" in self.mend else ", "
        return f"{self.look}\n{self.mend}{then}and run the same command again"

    def error(self, of: Reference) -> errors.CliError:
        return errors.CliError(
            errors.NO_ADDRESS,
            f"{of} has no address",
            cause=self.text,
            evidence=self.evidence,
            fix=self.fix,
            details={"cause": self.cause.value},
        )


def of_service(
    kubernetes: Kubernetes,
    service: Document,
    server: LoadBalancer | None,
    conditions: tuple[str, ...] = (),
) -> NoAddress | None:
    """What keeps its load balancer from coming, or makes it another; None where all is well.

    `conditions` are of what the Service is for. Whoever answers for it is asked first, then
    what was said of it, then the platform; that nothing of this tells is said as such.
    """
    given = service_addresses(service)
    if given:
        return _unlike(kubernetes, service, given, server)
    reference = Reference.of(service)
    unmet = tuple(line for line in conditions_of(service) if "=True" not in line)
    warnings = warnings_about(kubernetes, reference)
    seen = _Seen(kubernetes, reference, (*unmet, *warnings), (*conditions, *unmet), warnings)
    return seen.of_deployment(server) or seen.of_words(server) or seen.of_hints(server)


def describe(kubernetes: Kubernetes, reference: Reference) -> str:
    return kubernetes.access.kubectl(f"describe {_words(reference)}")


@dataclass(frozen=True)
class _Seen:
    """A Service without an address, and what was said of it: `texts`, the newest last."""

    kubernetes: Kubernetes
    service: Reference
    texts: tuple[str, ...]
    conditions: tuple[str, ...]
    warnings: tuple[str, ...]

    def of_deployment(self, server: LoadBalancer | None) -> NoAddress | None:
        """That which answers for it runs in the cluster, and does not run."""
        namespace, _, name = (server.deployment if server else "").partition("/")
        if not name:
            return None
        workload = Reference("apps/v1", "Deployment", name, namespace)
        found = self.kubernetes.get("apps/v1", "Deployment", name, namespace)
        if found is not None and (found.get("status") or {}).get("availableReplicas"):
            return None
        diagnosis = diagnose_workload(self.kubernetes, workload)
        why = diagnosis.cause if diagnosis else f"{workload} has no pod that is ready"
        if found is not None and found["spec"].get("replicas") == 0:
            why = f"{workload} is scaled to zero"
        evidence = diagnosis.evidence if diagnosis else ()
        return NoAddress(
            Cause.CONTROLLER_DOWN,
            f"what is to serve it does not run: {why}",
            (*self.evidence, *evidence),
            describe(self.kubernetes, workload),
        )

    def of_words(self, server: LoadBalancer | None) -> NoAddress | None:
        """The newest of what was said that anybody here understands."""
        told = told_by(self.texts, server.troubles if server else ())
        if told is None:
            return None
        trouble, text = told
        return NoAddress(
            trouble.cause,
            f"{self.service}: {text}",
            self.evidence,
            describe(self.kubernetes, self.service),
            trouble.mend,
        )

    def of_hints(self, server: LoadBalancer | None) -> NoAddress:
        """What the platform tells of subnets and limits; else that the cause is not known."""
        for bound in server.hints() if server else ():
            cause = bound.check.explains
            if cause is None:
                continue
            try:
                finding = bound.run()
            except errors.CliError:
                continue  # who may not look is told nothing
            if finding.status in (Status.FAIL, Status.WARN):
                evidence = (*self.evidence, *finding.evidence)
                look = describe(self.kubernetes, self.service)
                mend = finding.fix or f"mend what the check {bound.code} tells"
                return NoAddress(cause, f"{self.service}: {finding.detail}", evidence, look, mend)
        return self._unknown() if self.texts else self._silent(server)

    def _unknown(self) -> NoAddress:
        return NoAddress(
            Cause.UNKNOWN,
            f"{self.service}: {self.texts[-1]} (the cause is none of those that are known here)",
            self.evidence,
            describe(self.kubernetes, self.service),
            "mend what the event says",
        )

    def _silent(self, server: LoadBalancer | None) -> NoAddress:
        served_by = server.served_by if server else "its controller"
        look = describe(self.kubernetes, self.service)
        if server and server.deployment:
            namespace, _, name = server.deployment.partition("/")
            words = f"logs --namespace {namespace} deployment/{name}"
            look = self.kubernetes.access.kubectl(words)
        return NoAddress(
            Cause.NOT_SERVED,
            f"nobody answers for {self.service}, without any warning; {served_by} should",
            self.conditions,
            look,
            f"see that {served_by} runs and watches all namespaces",
        )

    @property
    def evidence(self) -> tuple[str, ...]:
        return (*self.conditions, *(f"event {line}" for line in self.warnings))


def _unlike(
    kubernetes: Kubernetes, service: Document, given: Sequence[str], server: LoadBalancer | None
) -> NoAddress | None:
    for address in given:
        unlike = server.unlike(address) if server and server.unlike else ""
        if unlike:
            return NoAddress(
                Cause.NOT_AS_ASKED,
                f"the load balancer {address} {unlike}",
                (),
                kubernetes.access.kubectl(f"delete {_words(Reference.of(service))}"),
                "another is made in its place",
            )
    return None


def _words(reference: Reference) -> str:
    """An object in kubectl's words."""
    place = f"--namespace {reference.namespace} " if reference.namespace else ""
    return f"{place}{reference.kind.lower()} {reference.name}"
