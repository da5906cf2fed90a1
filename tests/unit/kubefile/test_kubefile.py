"""kubefile: every instruction, what it makes and what it refuses."""

from __future__ import annotations

import pytest

from clusterimage import kubefile
from clusterimage.kubefile import Content, Inherited
from clusterimage.storage.manifest import Entry
from tests.unit.conftest import error_of

CHART = ("nginx/Chart.yaml", "nginx/values.yaml", "nginx/templates/d.yaml")
FILES = (
    *("daemon.json", "imageList", "a.yaml", "b.yaml", "calico.sh", "mysql.tar", "with space", "app.tgz"),
    *("amd64/tool", "arm64/tool", "dir/x", "dir/deep/y", "both/a.sh", "both/b.yaml", *CHART),
    ".clusterimage-extracted/app.tgz/etc/inside",
)
CONTEXT = (*(Entry(path, 0o644, 1, "0" * 64) for path in FILES), Entry("hollow", 0o755))
CALICO = {"name": "calico", "type": "shell", "files": ["calico.sh"], "version": "v1"}
BASE = Inherited(
    labels={"from": "base", "both": "base"},
    env=("PATH=/bin",),
    extension={
        "type": "kube-installer",
        "applications": [CALICO],
        "launch": {"app_names": ["calico"]},
        "env": {"REGION": "eu"},
    },
    directories=frozenset({"opt", "opt/app"}),
    files=frozenset({"opt/file", "bin/kubeadm"}),
)


def make(*lines: str, base: Inherited | None = None, arch: str = "amd64", **arguments: str) -> Content:
    text = "\n".join(["FROM scratch" if base is None else "FROM base", *lines])
    return kubefile.evaluate(kubefile.parse(text, "Kubefile"), CONTEXT, arch, base, arguments)


def tree(*lines: str, base: Inherited | None = None, arch: str = "amd64", **arguments: str) -> dict[str, str]:
    content = make(*lines, base=base, arch=arch, **arguments)
    return {entry.path: source for entry, source in kubefile.entries(content)}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("COPY daemon.json etc/", {"etc/daemon.json": "daemon.json"}),
        ("COPY daemon.json etc", {"etc/daemon.json": "daemon.json"}),
        ("COPY daemon.json /etc/other.json", {"etc/other.json": "daemon.json"}),
        ("COPY daemon.json unknown", {"unknown": "daemon.json"}),
        ("COPY daemon.json ./", {"daemon.json": "daemon.json"}),
        ("COPY imageList manifests", {"manifests/imageList": "imageList"}),
        ("COPY mysql.tar images", {"images/mysql.tar": "mysql.tar"}),
        ("COPY a.yaml plugins", {"plugins/a.yaml": "a.yaml"}),
        ("COPY a.yaml b.yaml m/", {"m/a.yaml": "a.yaml", "m/b.yaml": "b.yaml"}),
        ("COPY *.yaml m/", {"m/a.yaml": "a.yaml", "m/b.yaml": "b.yaml"}),
        ("COPY [ab].yaml calico.?h m/", {"m/a.yaml": "a.yaml", "m/b.yaml": "b.yaml", "m/calico.sh": "calico.sh"}),
        ("COPY [^b].yaml m/", {"m/a.yaml": "a.yaml"}),
        ("COPY [!b].yaml m/", {"m/b.yaml": "b.yaml"}),
        ("COPY [^d-z]*.yaml m/", {"m/a.yaml": "a.yaml", "m/b.yaml": "b.yaml"}),
        ("COPY */tool bin/", {"bin/tool": "arm64/tool"}),
        ("COPY ${ARCH}/tool bin/", {"bin/tool": "amd64/tool"}),
        ("COPY $ARCH/* bin/", {"bin/tool": "amd64/tool"}),
        ("COPY dir o", {"o/x": "dir/x", "o/deep/y": "dir/deep/y"}),
        ("COPY dir/ .", {"x": "dir/x", "deep/y": "dir/deep/y"}),
        ("COPY ./dir/deep o/", {"o/y": "dir/deep/y"}),
        ('COPY ["with space", "o/"]', {"o/with space": "with space"}),
        ('COPY "with space" o/', {"o/with space": "with space"}),
        ("COPY with\\ space o/", {"o/with space": "with space"}),
        ("COPY hollow empty/", {"empty": "hollow"}),
        ("copy daemon.json \\\n   etc/", {"etc/daemon.json": "daemon.json"}),
        ("ADD daemon.json etc/", {"etc/daemon.json": "daemon.json"}),
        ('COPY --chown=root:root ["with space", "o/"]', {"o/with space": "with space"}),
        ("ADD --chmod=600 app.tgz opt", {"opt/etc/inside": ".clusterimage-extracted/app.tgz/etc/inside"}),
        ("ADD app.tgz opt", {"opt/etc/inside": ".clusterimage-extracted/app.tgz/etc/inside"}),
        ("COPY app.tgz opt", {"opt": "app.tgz"}),
    ],
)
def test_copy_and_add_lay_files_where_docker_does(line: str, expected: dict[str, str]) -> None:
    found = tree(line)

    assert found == expected


def test_chmod_is_not_for_what_was_in_an_archive() -> None:
    assert [entry.mode for entry, _ in kubefile.entries(make("ADD --chmod=600 app.tgz daemon.json x/"))] == [
        0o600,
        0o644,
    ]


def test_copy_of_everything_takes_everything_but_what_was_extracted_for_add() -> None:
    found = tree("COPY . .")

    assert set(found) == {path for path in FILES if not path.startswith(".clusterimage")} | {"hollow"}


def test_a_directory_of_the_base_takes_a_file_into_it() -> None:
    assert tree("COPY daemon.json opt/app", base=BASE) == {"opt/app/daemon.json": "daemon.json"}


def test_a_later_line_wins() -> None:
    assert tree("COPY a.yaml m/x", "COPY b.yaml m/x") == {"m/x": "b.yaml"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("COPY daemon.json", "COPY: needs a source and a destination"),
        ("COPY", "COPY: needs at least one word"),
        ("COPY nowhere etc/", "COPY: 'nowhere' is not in the build context"),
        ("COPY *.none etc/", "COPY: '*.none' is not in the build context"),
        ("COPY ../up etc/", "COPY: '../up' leaves the build context"),
        ("COPY daemon.json ../etc/", "COPY: '../etc/' leaves the image"),
        ("COPY a.yaml b.yaml m", "COPY: 2 sources, and 'm' is no directory"),
        ("COPY --from=x a.yaml m/", "COPY: --from=x cannot be given"),
        ("COPY --chown=1:1 a.yaml m/", "COPY: --chown=1:1: every file of an image belongs to root"),
        ("ADD --chmod=0644 --chown=app a.yaml m/", "ADD: --chown=app: every file of an image belongs to root"),
        ("COPY --chmod=u+x a.yaml m/", "COPY: --chmod=u+x is no mode in octal digits"),
        ("COPY --chmod=4755 a.yaml m/", "COPY: --chmod=4755 is no mode in octal digits, without set-id bits"),
        ("COPY --chmod=0644 --link a.yaml m/", "COPY: --link cannot be given"),
        ("COPY --chmod=0644", "COPY: needs a source and a destination"),
        ("COPY <<EOF m/x", "COPY: here-documents are not read"),
        ("COPY <<-'EOF' m/x", "COPY: here-documents are not read"),
        ("LABEL a=$BUILDPLATFORM", "LABEL: $BUILDPLATFORM is the machine that builds, where nothing is executed"),
        ("ARG BUILDARCH", "ARG: $BUILDARCH is the machine that builds, where nothing is executed"),
        ("COPY $UNKNOWN m/", "COPY: $UNKNOWN is not known"),
        ("COPY 'a.yaml m/", "COPY: a quotation is not closed"),
        ('COPY "a.yaml m/', "COPY: a quotation is not closed"),
        ("COPY [a.yaml, m/]", "COPY: '[a.yaml,' is no pattern: a bracket is not closed"),
        ("COPY []a.yaml m/", "COPY: '[]a.yaml' is no pattern: brackets have nothing between them"),
        ("ADD https://example.org/x etc/", "ADD: 'https://example.org/x' is remote"),
        ("RUN echo hello", "RUN: nothing is executed at build time"),
        ("WORKDIR /x", "WORKDIR: a cluster image is not started as a container"),
        ("user 65532:65532", "USER: a cluster image is not started as a container"),
        ('VOLUME ["/data"]', "VOLUME: a cluster image is not started as a container"),
        ("EXPOSE 80/tcp", "EXPOSE: a cluster image is not started as a container"),
        ("ONBUILD COPY a b", "ONBUILD: nothing is done when somebody builds on an image"),
        ("CPOY a.yaml m/", "unknown instruction 'CPOY'"),
        ("LABEL lonely", "LABEL: 'lonely' is not key=value"),
        ("ENV lonely", "ENV: 'lonely' is not key=value"),
        ("ARG NAME", "ARG: NAME has no value"),
        ("FROM other", "FROM: only one is possible"),
        ("APP dash", "APP: dash: names no file"),
        ("APP dash a.yaml", "APP: 'a.yaml' is not local://PATH"),
        ("APP dash https://example.org/a.yaml", "APP: 'https://example.org/a.yaml' is remote"),
        ("APP ../x local://a.yaml", "APP: '../x' cannot be the name of an application"),
        ("CNI calico local://nowhere.sh", "CNI: 'nowhere.sh' is not in the build context"),
        ('APPCMDS dash ["x"]', "APPCMDS: 'dash' is no application of this image"),
        ("APPENV dash a=b", "APPENV: 'dash' is no application of this image"),
        ('LAUNCH ["dash"]', "LAUNCH: 'dash' is no application of this image"),
        ("LAUNCH dash", "LAUNCH: 'dash' is not a JSON list of strings"),
        ("CMDS echo", "CMDS: 'echo' is not a JSON list of strings"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(line: str, problem: str) -> None:
    error = error_of(make, "", line)

    assert error.problem.startswith("Kubefile:3: ")
    assert problem in error.problem
    assert error.hint or "needs" in problem or "key=value" in problem


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("APP a local://a.yaml", "APP a local://b.yaml"), "Kubefile:3: APP: 'a' is an application already"),
        (("APP a local://a.yaml", 'LAUNCH ["a"]', "LABEL x=y"), "Kubefile:3: LAUNCH: must be the last line"),
        (('CMDS ["x"]', 'CMDS ["y"]'), "Kubefile:2: CMDS: must be the last line"),
        (("APP a local://a.yaml", "CMD x", 'LAUNCH ["a"]'), "Kubefile:4: LAUNCH: CMDS or CMD"),
        (("APP a local://both",), "application 'a': its files are neither all .sh, nor all YAML, nor a chart"),
        (("COPY a.yaml m/x", "COPY b.yaml m/x/"), "Kubefile:3: COPY: 'm/x/b.yaml' lies below the file 'm/x'"),
        (("COPY a.yaml m/x/y", "COPY dir m"), "Kubefile:3: COPY: 'm/x' is a directory"),
    ],
)
def test_what_does_not_go_together_is_refused(lines: tuple[str, ...], problem: str) -> None:
    assert problem in error_of(make, *lines).problem


def test_a_kubefile_begins_with_from() -> None:
    assert "Kubefile:2: a Kubefile begins with FROM" in error_of(kubefile.parse, "\nLABEL a=b", "Kubefile").problem
    assert "begins with FROM" in error_of(kubefile.parse, "# nothing", "Kubefile").problem


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("FROM scratch", {}, "scratch"),
        ("from kubernetes:v1.19.8", {}, "kubernetes:v1.19.8"),
        ("ARG V=1\nFROM base:$V", {}, "base:1"),
        ("ARG V=1\nFROM base:${V}", {"V": "2"}, "base:2"),
        ("FROM base:${V:-3}", {}, "base:3"),
    ],
)
def test_from_names_the_base(text: str, arguments: dict[str, str], expected: str) -> None:
    assert kubefile.base(kubefile.parse(text, "Kubefile"), arguments) == expected


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        ('LABEL "a.b/c"="d e"', {"a.b/c": "d e"}),
        ("LABEL a=b c='d e'", {"a": "b", "c": "d e"}),
        ("LABEL a=$ARCH b='$ARCH' c=\\$ARCH", {"a": "amd64", "b": "$ARCH", "c": "$ARCH"}),
        ("LABEL old style of it", {"old": "style of it"}),
        ("KUBEVERSION >=1.20", {"app.alpha.sealer.io/supported-kube-version": ">=1.20"}),
        ("CNI calico local://calico.sh", {"cluster.alpha.sealer.io/kube-cni-calico": "true"}),
        ("CSI ceph local://a.yaml", {"cluster.alpha.sealer.io/kube-csi-ceph": "true"}),
    ],
)
def test_labels(line: str, labels: dict[str, str]) -> None:
    assert make(line).labels == labels


def test_arg_has_a_default_that_args_changes() -> None:
    lines = ("ARG NAME=a", "COPY $NAME.yaml m/")

    assert tree(*lines) == {"m/a.yaml": "a.yaml"}
    assert tree(*lines, NAME="b") == {"m/b.yaml": "b.yaml"}
    assert "has no ARG NAMED" in error_of(make, *lines, NAMED="b").problem


def test_env_goes_into_the_config_and_the_extension_and_into_later_lines() -> None:
    content = make("ENV A=1 B='two words'", "ENV C ${A}3", "LABEL x=$C")

    assert content.env == {"A": "1", "B": "two words", "C": "13"}
    assert kubefile.extension(content, "x")["env"] == content.env
    assert content.labels == {"x": "13"}


@pytest.mark.parametrize(
    ("line", "app"),
    [
        ("APP a local://a.yaml local://b.yaml", {"type": "kube", "files": ["a.yaml", "b.yaml"]}),
        ("APP a local://calico.sh", {"type": "shell", "files": ["calico.sh"]}),
        ("APP a local://nginx", {"type": "helm", "files": ["a"]}),
        ("APP a local://*.yaml", {"type": "kube", "files": ["a.yaml", "b.yaml"]}),
    ],
)
def test_the_type_of_an_application_follows_from_its_files(line: str, app: dict[str, object]) -> None:
    assert make(line).applications["a"] == {"name": "a", "version": "v1", **app}


def test_application_files_lie_in_their_own_directory() -> None:
    assert tree("APP a local://nginx") == {
        f"application/apps/a/{path.removeprefix('nginx/')}": path for path in sorted(CHART)
    }


def test_appcmds_and_appenv_say_how_an_application_is_launched() -> None:
    content = make("APP a local://both", 'APPCMDS a ["sh a.sh $HOME", "two"]', "APPENV a K=v L='w x'", 'LAUNCH ["a"]')

    assert content.applications["a"]["cmds"] == ["sh a.sh $HOME", "two"]
    assert content.applications["a"]["env"] == {"K": "v", "L": "w x"}
    assert kubefile.extension(content, "me") == {
        "buildClient": {"sealerVersion": "me", "buildahVersion": ""},
        "schemaVersion": "v1alpha1",
        "type": "app-installer",
        "applications": [content.applications["a"]],
        "launch": {"app_names": ["a"]},
    }


@pytest.mark.parametrize(
    ("lines", "commands"),
    [
        (('CMDS ["kubectl apply -f $X", "b"]',), ["kubectl apply -f $X", "b"]),
        (("CMD kubectl apply -f x, y", "cmd echo"), ["kubectl apply -f x, y", "echo"]),
        (('CMD ["echo", "two words"]',), ["echo 'two words'"]),
    ],
)
def test_commands_are_kept_for_run_time(lines: tuple[str, ...], commands: list[str]) -> None:
    assert kubefile.extension(make(*lines), "x")["launch"] == {"cmds": commands}


def test_a_base_s_labels_environment_and_applications_are_inherited_and_extended() -> None:
    lines = ("LABEL both=new", "ENV REGION=us", "APP dash local://a.yaml", "APPENV calico MTU=1400")
    content = make(*lines, 'LAUNCH ["dash"]', base=BASE)
    extension = kubefile.extension(content, "x")

    assert content.labels == {"from": "base", "both": "new"}
    assert content.env == {"PATH": "/bin", "REGION": "us"}
    assert extension["env"] == {"REGION": "us"}
    assert [one["name"] for one in extension["applications"]] == ["calico", "dash"]
    assert extension["applications"][0]["env"] == {"MTU": "1400"}
    assert extension["launch"] == {"app_names": ["calico", "dash"]}
    assert extension["type"] == "kube-installer"
    assert "env" not in CALICO


def test_launch_may_change_the_order_of_the_base_s_applications() -> None:
    content = make("APP dash local://a.yaml", 'LAUNCH ["dash", "calico"]', base=BASE)

    assert content.launch_names == ["dash", "calico"]


def test_commands_do_not_hide_what_the_base_launches() -> None:
    content = make('CMDS ["x"]', base=BASE)

    launch = {"cmds": ["bash application/apps/calico/calico.sh", "x"]}
    assert kubefile.extension(content, "test")["launch"] == launch


@pytest.mark.parametrize("line", ["COPY daemon.json opt/file/x", "COPY a.yaml bin/kubeadm/"])
def test_nothing_can_lie_below_a_file_of_the_base(line: str) -> None:
    assert "lies below the file" in error_of(make, line, base=BASE).problem


def test_an_image_with_kubeadm_installs_a_cluster() -> None:
    assert make("COPY amd64/tool bin/kubeadm").type == "kube-installer"
    assert make("COPY amd64/tool bin/tool").type == "app-installer"


def test_maintainer_is_the_author() -> None:
    assert make("MAINTAINER Jane <jane@example.org>").author == "Jane <jane@example.org>"


def test_only_what_is_copied_is_used() -> None:
    head = "FROM x\nARG N=a\nENV P=$PATH:/x\nCOPY $N.yaml m/\nADD app.tgz .\n"
    text = f'{head}CNI c local://calico.sh\nLAUNCH ["other"]'
    used, added = kubefile.used(kubefile.parse(text, "Kubefile"), CONTEXT, "amd64", {})

    assert used == {"a.yaml", "app.tgz", "calico.sh"}
    assert added == {"app.tgz"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('CMD ["bash entrypoint.sh", "kubectl get nodes"]', ["bash entrypoint.sh", "kubectl get nodes"]),
        ("CMD cp opt/helm /usr/bin && helm version", ["cp opt/helm /usr/bin && helm version"]),
        ('CMDS ["echo 1", "echo 2"]', ["echo 1", "echo 2"]),
        ('APP a local://a.yaml local://b.yaml\nLAUNCH ["a"]',
         ["kubectl apply -f application/apps/a/a.yaml && kubectl apply -f application/apps/a/b.yaml"]),
        ('APP s local://calico.sh\nLAUNCH ["s"]', ["bash application/apps/s/calico.sh"]),
        ('APP t local://imageList\nAPPCMDS t ["cat it"]\nLAUNCH ["t"]', ["cd application/apps/t && cat it"]),
        ("COPY a.yaml manifests/", []),
    ],
)  # fmt: skip
def test_what_is_launched_are_shell_lines_for_sealos(line: str, expected: list[str]) -> None:
    # sealos runs each word of Cmd as `cd DIR && WORD` (pkg/guest/guest.go)
    assert kubefile.command(make(*line.splitlines())) == expected
