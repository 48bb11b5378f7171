"""How charts and images are listed for people."""

from __future__ import annotations

import io

from rich.console import Console

from anyscale_k8s_cli.cli.render.mirror import show_supplies

from . import samples

EXPECTED = """
Charts
  gateway-helm v1.7.0
    helm pull oci://charts.example/envoyproxy/gateway-helm
  nvidia-device-plugin 0.17.1  if nodes have GPUs that nobody else serves
    helm pull nvidia-device-plugin --repo https://charts.example

Images
  docker.io/envoyproxy/gateway:v1.7.0
    registry.example/mirror/envoyproxy/gateway:v1.7.0
  tools.example/python:3  if a pod is made to look

! not known: the images of nvidia-device-plugin: the chart is not on this
  machine

Next
  anyscale mirror list --provider eks --fetch
"""


def test_each_image_has_a_line_of_its_own_and_below_it_its_name_in_the_mirror() -> None:
    shown = io.StringIO()
    show_supplies(samples.mirrored(), Console(file=shown, width=80, no_color=True))
    assert shown.getvalue() == EXPECTED
