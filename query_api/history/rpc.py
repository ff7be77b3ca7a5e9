"""The past over gRPC."""

from orderflow.queries.v1 import history_query_service_pb2 as pb
from orderflow.queries.v1.history_query_service_pb2_grpc import HistoryQueryServiceServicer

from infra.rpc.refusing import Context
from infra.rpc.values import plain
from query_api.audit.viewers import viewer
from query_api.history.questions import PastQuestions, Subject
from query_api.parameters import DiffQuery, StateQuery
from query_api.rpc_messages import asked, one


class HistoryQueries(HistoryQueryServiceServicer):
    def __init__(self, questions: PastQuestions) -> None:
        self._questions = questions

    async def GetState(self, request: pb.GetStateRequest, _: Context) -> pb.GetStateResponse:
        found = await self._questions.state(viewer(), _subject(request), asked(StateQuery, request, "kind", "key"))
        return one(pb.GetStateResponse, "past", found)

    async def GetDiff(self, request: pb.GetDiffRequest, _: Context) -> pb.GetDiffResponse:
        found = await self._questions.difference(viewer(), _subject(request), asked(DiffQuery, request, "kind", "key"))
        return one(pb.GetDiffResponse, "difference", found)


def _subject(request: pb.GetStateRequest | pb.GetDiffRequest) -> Subject:
    values = plain(request)
    return Subject(values["kind"], values["key"])
