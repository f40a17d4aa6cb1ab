"""The template as AWS sees it: infra/template.yaml after the SAM transform, and its permissions in a readable form."""

import os
import re
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # the transform looks for one

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parent.parent.parent
FILE = ROOT / "infra" / "template.yaml"


class NoManagedPolicies:
    def load(self):
        return {}


def expanded():
    template = yaml_parse(FILE.read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/code.zip"  # as `sam package` would
    return transform(template, {}, NoManagedPolicies())


def of_type(template, kind):
    return {name: resource.get("Properties", {}) for name, resource in template["Resources"].items() if resource["Type"] == kind}


def as_list(value):
    return value if isinstance(value, list) else [value]


def plain(value):
    """Intrinsic functions as text: {"Fn::GetAtt": ["Table", "Arn"]} reads ${Table.Arn}."""
    match value:
        case {"Ref": name}:
            return "${%s}" % name
        case {"Fn::GetAtt": [name, attribute]}:
            return "${%s.%s}" % (name, attribute)
        case {"Fn::Sub": str(text)}:
            return text
        case {"Fn::If": [condition, then, otherwise]}:
            return {f"if {condition}": plain(then), "else": plain(otherwise)}
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case _:
            return value


def references(value):
    return set(re.findall(r"\$\{(\w+)", str(plain(value))))


def either_way(values):
    """What stands in a list under whichever condition."""
    for value in values:
        match value:
            case {"Fn::If": [_, *branches]}:
                yield from either_way(branches)
            case {"Ref": "AWS::NoValue"}:
                pass
            case _:
                yield value


def written(role):
    return [statement for policy in role.get("Policies", []) for statement in policy["PolicyDocument"]["Statement"]]


def statements(role):
    return list(either_way(written(role)))


def policies(template):
    """Who may assume each role and what it then may do."""
    return {
        name: {
            "trust": plain(role["AssumeRolePolicyDocument"]["Statement"]),
            "may": plain(written(role)),
            **{key: plain(role[key]) for key in ("ManagedPolicyArns", "PermissionsBoundary") if key in role},
        }
        for name, role in of_type(template, "AWS::IAM::Role").items()
    }


def leading_keys(statement):
    """The partitions of the table that a statement is limited to."""
    return statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", ["*"])
