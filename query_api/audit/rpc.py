"""The looks over gRPC."""

from orderflow.queries.v1 import audit_query_service_pb2 as pb
from orderflow.queries.v1.audit_query_service_pb2_grpc import AuditQueryServiceServicer

from infra.rpc.refusing import Context
from query_api.audit.questions import AuditQuestions
from query_api.audit.viewers import viewer
from query_api.parameters import LookQuery
from query_api.rpc_messages import asked, page


class AuditQueries(AuditQueryServiceServicer):
    def __init__(self, questions: AuditQuestions) -> None:
        self._questions = questions

    async def ListLooks(self, request: pb.ListLooksRequest, _: Context) -> pb.ListLooksResponse:
        found = await self._questions.recorded(viewer("operations:read"), asked(LookQuery, request))
        return page(pb.ListLooksResponse, found)
