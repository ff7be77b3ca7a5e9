"""`make proto` compiles the contracts: typed Python beside each, and `orderflow.protoset` for tools such as grpcurl."""

import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from protovalidate._gen.buf.validate import validate_pb

ROOT: Final = Path(__file__).parent
PROTOSET: Final = "orderflow.protoset"
_RULES: Final = "buf/validate/validate.proto"


def generate(folder: Path) -> None:
    """Write everything that is generated below a folder, as it lies below `proto`."""
    files = sorted(str(file.relative_to(ROOT)) for file in ROOT.glob("orderflow/**/*.proto"))
    services = [file for file in files if file.endswith("_service.proto")]
    _protoc(folder, "--python_out=.", "--mypy_out=quiet:.", *files, _RULES)
    _protoc(folder, "--grpc_python_out=.", "--mypy_grpc_out=quiet:.", *services)
    describe(folder / PROTOSET)


def describe(file: Path, *options: str) -> None:
    """Write the descriptors of all contracts and of what they import; `options` are protoc's."""
    contracts = sorted(str(contract.relative_to(ROOT)) for contract in ROOT.glob("orderflow/**/*.proto"))
    _protoc(file.parent, "--include_imports", *options, f"--descriptor_set_out={file.name}", *contracts)


def _protoc(folder: Path, *arguments: str) -> None:
    """Run the protoc of grpcio-tools in a folder; the rules of protovalidate come from its own package."""
    packages = distribution("googleapis-common-protos").locate_file("")
    with TemporaryDirectory() as found:
        rules = Path(found) / "rules.binpb"
        rules.write_bytes(FileDescriptorSet(file=[_rules()]).SerializeToString())
        places = (f"-I{ROOT.resolve()}", f"-I{packages}", f"--descriptor_set_in={rules}")
        plugins = f"{Path(sys.executable).parent}"
        command = (sys.executable, "-m", "grpc_tools.protoc", *places, *arguments)
        subprocess.run(command, cwd=folder, check=True, env={"PATH": f"{plugins}:/usr/bin:/bin"})  # noqa: S603


def _rules() -> FileDescriptorProto:
    return FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())


if __name__ == "__main__":
    generate(ROOT)
