//! DescribeCluster (key 60), versions 0-1: the brokers of the cluster, that is the cores of this machine, and the controller.
//!
//! Version 1 on: which kind of endpoint is asked about; brokers answer for brokers (1), a question for controllers (2) came to
//! the wrong endpoint, and other kinds do not exist. Without an authorizer all operations are allowed, told when asked for.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::ids::CoreId;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::partition::CLUSTER_OPERATIONS;
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    BrokerId, DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse, StrBytes, decode, encode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct DescribeCluster;

const ENDPOINT_BROKERS: i8 = 1;
const ENDPOINT_CONTROLLERS: i8 = 2;

impl Api for DescribeCluster {
    const KEY: ApiKey = ApiKey::DescribeCluster;
    type Request = DescribeClusterRequest;

    fn decode(body: BytesMut, version: i16) -> Result<DescribeClusterRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: DescribeClusterRequest, _: Now) -> Outcome {
        let refusal = match request.endpoint_type {
            ENDPOINT_BROKERS => None,
            ENDPOINT_CONTROLLERS => Some((ErrorCode::MismatchedEndpointType, "The request was sent to a broker.")),
            _ => Some((ErrorCode::UnsupportedEndpointType, "Unsupported endpoint type.")),
        };
        let mut response = DescribeClusterResponse::default();
        if let Some((code, message)) = refusal {
            broker.counters.request_errors += 1;
            response.error_code = code.code();
            response.error_message = Some(StrBytes::from_static_str(message));
            return Outcome::Answer(encode(response, context.version, context.correlation_id));
        }
        let image = &broker.image;
        response.cluster_id = StrBytes::from_string(image.cluster_id().to_string());
        response.controller_id = BrokerId(broker.shown_id(CoreId(0)).0);
        for core in broker.settings.shown_brokers(image.cores()) {
            let (host, port) = broker.endpoint(core, context);
            let answer = DescribeClusterBroker::default().with_broker_id(BrokerId(broker.shown_id(core).0));
            response.brokers.push(answer.with_host(StrBytes::from_string(host)).with_port(port));
        }
        if request.include_cluster_authorized_operations {
            response.cluster_authorized_operations = CLUSTER_OPERATIONS;
        }
        Outcome::Answer(encode(response, context.version, context.correlation_id))
    }
}
