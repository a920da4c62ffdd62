//! Which expressions of HCL only put texts together, so that variables in them can stay variables.

use hcl::{
    Expression,
    expr::{TemplateExpr, TraversalOperator},
    template::{Element, Template},
};

use super::functions;

/// Whether a value is only put together, and nothing is computed of variables.
pub fn is_plain(expression: &Expression) -> bool {
    match expression {
        Expression::Null | Expression::Bool(_) | Expression::Number(_) | Expression::String(_) => {
            true
        }
        Expression::Variable(_) => true,
        Expression::Array(values) => values.iter().all(is_plain),
        Expression::Object(object) => object.values().all(is_plain),
        Expression::Parenthesis(inner) => is_plain(inner),
        Expression::Traversal(traversal) => {
            let plain = |operator: &TraversalOperator| match operator {
                TraversalOperator::GetAttr(_) | TraversalOperator::LegacyIndex(_) => true,
                TraversalOperator::Index(index) => {
                    matches!(index, Expression::String(_) | Expression::Number(_))
                }
                _ => false,
            };
            is_plain(&traversal.expr) && traversal.operators.iter().all(plain)
        }
        Expression::FuncCall(call) => {
            functions::is_later(call.name.name.as_str())
                && call
                    .args
                    .iter()
                    .all(|arg| matches!(arg, Expression::String(_)))
        }
        Expression::TemplateExpr(template) => is_plain_text(template),
        _ => false,
    }
}

fn is_plain_text(template: &TemplateExpr) -> bool {
    let Ok(text) = Template::from_expr(template) else {
        return false;
    };
    text.elements().iter().all(|element| match element {
        Element::Literal(_) => true,
        Element::Interpolation(interpolation) => is_plain(&interpolation.expr),
        Element::Directive(_) => false,
    })
}
