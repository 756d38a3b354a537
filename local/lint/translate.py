"""Prints a SAM template as the plain CloudFormation that AWS makes of it, so that this can be linted too."""

import json
import sys
from pathlib import Path

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

# The translator wants to see code and definitions uploaded; where they are makes no difference to the lint.
UPLOADED = "s3://bucket/key"
LOCAL_PATHS = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::StateMachine": "DefinitionUri"}


def translate(template: dict) -> dict:
    for resource in template["Resources"].values():
        if resource["Type"] in LOCAL_PATHS:
            resource["Properties"][LOCAL_PATHS[resource["Type"]]] = UPLOADED
    return Translator({}, Parser()).translate(template, parameter_values={})


if __name__ == "__main__":
    print(json.dumps(translate(yaml_parse(Path(sys.argv[1]).read_text())), indent=1))
