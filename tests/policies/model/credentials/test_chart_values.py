"""Credentials in the values that delivery tools pass to charts, and values that only resemble them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from policies.model.credentials.chart_values import chart_credentials
from policies.model.paths import Path
from policies.model.property_tree import UNKNOWN, Node
from policies.model.stack import Object

API_VERSIONS = {
    "Application": "argoproj.io/v1alpha1",
    "ApplicationSet": "argoproj.io/v1alpha1",
    "ClusterProfile": "config.projectsveltos.io/v1beta1",
    "HelmChart": "helm.cattle.io/v1",
    "HelmRelease": "helm.toolkit.fluxcd.io/v2",
    "Kustomization": "kustomize.toolkit.fluxcd.io/v1",
    "Release": "helm.crossplane.io/v1beta1",
    "Unlisted": "example.com/v1",
}


def found(kind: str, spec: Any) -> list[tuple[Path, str]]:
    item = Object(API_VERSIONS[kind], kind, Node({"spec": spec}), "urn:x")
    return [(node.path, name) for node, name in chart_credentials(item)]


def names(kind: str, spec: Any) -> list[str]:
    return [name for _, name in found(kind, spec)]


def release(values: str) -> list[str]:
    return names("HelmRelease", {"values": yaml.safe_load(values)})


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("auth: {rootPassword: s3cretX}", ["rootPassword"]),
        ("auth: {password: 12345678}", ["password"]),
        ("auth: {password: password}", ["password"]),
        ("users: [{name: app, password: s3cretX}]", ["password"]),
        ("postgresql: {auth: {postgresPassword: s3cretX, existingSecret: ''}}", ["postgresPassword"]),
        ("env: [{name: DB_PASSWORD, value: s3cretX}]", ["DB_PASSWORD"]),
        ("extraEnv: {GITHUB_TOKEN: a1B2c3D4}", ["GITHUB_TOKEN"]),
        ("password: {value: s3cretX}", ["password"]),
        ("secretKey: minio123", ["secretKey"]),
        ("clientSecret: 6f1ed002ab5595859014", ["clientSecret"]),
        ("oauthSecret: s3cretX", ["oauthSecret"]),
        ("apiTokens: [a1B2c3D4]", ["apiTokens"]),
        ("extraArgs: ['--db-password=s3cretX']", ["db-password"]),
        ("config.ini: |\n  [db]\n  password = s3cretX\n", ["password"]),
        ("grafana.ini: {smtp: {password: s3cretX}}", ["password"]),
        ("initdb: \"CREATE USER app PASSWORD 's3cretX';\"", ["the password of a database in initdb"]),
    ],
)  # fmt: skip
def test_credentials_in_the_values_of_a_release(values: str, expected: list[str]) -> None:
    assert release(values) == expected


@pytest.mark.parametrize(
    "values",
    [
        "auth: {existingSecret: db, existingSecretPasswordKey: password}",
        "auth: {secretKeys: {adminPasswordKey: postgres-password, userPasswordKey: password}}",
        "env: [{name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}]",
        "password: ${DB_PASSWORD}",
        "password: '<path:secret/data/db#password>'",
        "password: ENC[AES256_GCM,data:Tr7o=,iv:1=,tag:k=,type:str]",
        "password: ''",
        "password: null",
        "admin: {passwordSecret: {name: grafana, key: password}}",
        "passwordSecret: grafana",
        "db: {passwordSecretKey: db-password, existingSecretAdminPasswordKey: ADMIN_PASSWORD}",
        "data: [{secretKey: password, remoteRef: {key: prod/db, property: password}}]",
        "secret: grafana-admin",
        "imagePullSecrets: [registry]",
        "imagePullSecrets: [{name: registry}]",
        "serviceAccount: {automountServiceAccountToken: true}",
        "usePasswordFiles: true",
        "tls: {secretName: web, certSecret: web}",
        "limits: {maxTokens: 131072}",
        "notes.md: |\n  password: call the on-call engineer\n",
        "config.yaml: |\n  password: ${DB_PASSWORD}\n  passwordFile: /run/pw\n",
        "args: ['--password-file=/run/pw', '--token=$(TOKEN)']",
    ],
)
def test_references_in_the_values_of_a_release_pass(values: str) -> None:
    assert release(values) == []


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        ("Application", "source: {helm: {values: 'db: {password: s3cretX}'}}", "db.password"),
        ("Application", "source: {helm: {values: 'env: [{name: TOKEN, value: s3cretX}]'}}", "TOKEN"),
        ("Application", "source: {helm: {valuesObject: {db: {password: s3cretX}}}}", "password"),
        ("Application", "source: {helm: {parameters: [{name: a.password, value: s3cretX}]}}", "a.password"),
        ("Application", "sources: [{}, {helm: {valuesObject: {token: a1B2c3}}}]", "token"),
        ("Application", "source: {plugin: {env: [{name: API_KEY, value: a1B2c3}]}}", "API_KEY"),
        ("Application", "source: {directory: {jsonnet: {tlas: [{name: token, value: a1B2}]}}}", "token"),
        (
            "ApplicationSet",
            'template: {spec: {source: {helm: {values: "password: s3cretX\\na: {{b}}-c: d\\n"}}}}',
            "password",
        ),
        (
            "ApplicationSet",
            "generators: [{matrix: {generators: [{list: {elements: [{password: s3cretX}]}}]}}]",
            "password",
        ),
        ("HelmRelease", "values: {password: s3cretX}", "password"),
        ("Kustomization", "postBuild: {substitute: {db_password: s3cretX}}", "db_password"),
        ("HelmChart", "valuesContent: 'auth: {password: s3cretX}'", "auth.password"),
        ("HelmChart", "set: {auth.password: s3cretX}", "auth.password"),
        ("Release", "forProvider: {set: [{name: auth.password, value: s3cretX}]}", "auth.password"),
        ("ClusterProfile", "helmCharts: [{values: 'password: s3cretX'}]", "password"),
    ],
)
def test_kinds_that_pass_values_to_charts(kind: str, spec: str, expected: str) -> None:
    assert names(kind, yaml.safe_load(spec)) == [expected]


def test_the_users_of_a_kubeconfig_have_credentials() -> None:
    users = [
        {"name": "a", "user": {"token": "a1B2c3", "client-key": "/run/key", "tokenFile": "/run/token"}},
        {"name": "b", "user": {"username": "b", "password": "s3cretX", "exec": {"command": "login"}}},
    ]
    item = Object("v1", "Config", Node({"users": users, "clusters": []}), "urn:x")
    assert [(node.path, name) for node, name in chart_credentials(item)] == [
        (("users", 0, "user", "token"), "token"),
        (("users", 1, "user", "password"), "password"),
    ]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("HelmRelease", "valuesFrom: [{kind: Secret, name: db, valuesKey: password}]"),
        ("Application", "source: {helm: {values: 'password: {{ .password }}'}}"),
        ("Application", "source: {helm: {parameters: [{name: auth.existingSecret, value: db}]}}"),
        (
            "ApplicationSet",
            "generators: [{scmProvider: {github: {tokenRef: {secretName: git, key: token}}}}]",
        ),
        ("Unlisted", "values: {password: s3cretX}"),
    ],
)
def test_objects_without_a_credential_in_their_values(kind: str, spec: str) -> None:
    assert names(kind, yaml.safe_load(spec)) == []


@pytest.mark.parametrize("values", [UNKNOWN, {"password": UNKNOWN}])
def test_unknown_values_are_not_reported(values: Any) -> None:
    assert names("HelmRelease", {"values": values}) == []


def test_the_credential_of_an_object_has_its_path_and_that_of_a_text_the_path_of_the_text() -> None:
    values = {"values": {"auth": {"password": "s3cretX"}}}
    assert found("HelmRelease", values) == [(("spec", "values", "auth", "password"), "password")]
    text = {"source": {"helm": {"values": json.dumps(values["values"])}}}
    assert found("Application", text) == [(("spec", "source", "helm", "values"), "auth.password")]


def test_aliases_in_a_text_that_multiply_are_bounded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert names("Application", {"source": {"helm": {"values": "\n".join(lines)}}}) == []
